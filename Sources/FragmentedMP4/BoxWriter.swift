import NIOCore

/// Writes nested boxes (ISO/IEC 14496-12 §4.2): the size stands before the content and is filled in after it.
public struct BoxWriter {
    public var buffer: ByteBuffer

    public init(_ buffer: ByteBuffer = ByteBuffer()) {
        self.buffer = buffer
    }

    /// A box around what `body` writes. A box of 4 GiB or more gets the size 0 ("to the end of the file"); callers bound
    /// their content far below that.
    public mutating func box(_ type: BoxType, _ body: (inout BoxWriter) throws -> Void) rethrows {
        let start = buffer.writerIndex
        buffer.writeInteger(UInt32(0))
        buffer.writeInteger(type.code)
        try body(&self)
        buffer.setInteger(UInt32(exactly: buffer.writerIndex - start) ?? 0, at: start)
    }

    /// A FullBox: a box with a version and 24 bits of flags before its content.
    public mutating func fullBox(
        _ type: BoxType, version: UInt8 = 0, flags: UInt32 = 0, _ body: (inout BoxWriter) throws -> Void
    ) rethrows {
        try box(type) { writer in
            writer.write(UInt32(version) << 24 | flags & 0xff_ffff)
            try body(&writer)
        }
    }

    /// A big-endian number.
    public mutating func write<Number: FixedWidthInteger>(_ number: Number) {
        buffer.writeInteger(number)
    }

    public mutating func write(_ bytes: ByteBuffer) {
        buffer.writeImmutableBuffer(bytes)
    }

    public mutating func write(_ type: BoxType) {
        buffer.writeInteger(type.code)
    }

    public mutating func writeZeros(_ count: Int) {
        buffer.writeRepeatingByte(0, count: count)
    }
}

/// A box's four-character code (ISO/IEC 14496-12 §4.2).
public struct BoxType: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The code as a big-endian number.
    public let code: UInt32

    /// Missing characters count as spaces, characters after the fourth byte are left out.
    public init(stringLiteral value: StaticString) {
        code = value.withUTF8Buffer { bytes in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32($1 < bytes.count ? bytes[$1] : 0x20) }
        }
    }
}

import NIOCore

/// Reads AMF0 values one after another from a buffer.
///
/// Never allocates for an announced count or length that the buffer does not hold. References (marker 0x07) become
/// `undefined`: following them would let a few bytes describe a tree of any size, and commands never use them.
public struct AMF0Decoder: Sendable {
    private var buffer: ByteBuffer
    private var allowance: AMFAllowance

    public init(_ buffer: ByteBuffer, limits: AMFLimits = AMFLimits()) {
        self.buffer = buffer
        allowance = AMFAllowance(limits)
    }

    /// Whether all bytes have been read.
    public var isAtEnd: Bool {
        buffer.readableBytes == 0
    }

    /// What has not been read yet.
    public var remaining: ByteBuffer {
        buffer
    }

    /// The next value.
    /// - Throws: `malformedAMF` when the bytes end early or hold an unknown marker, `amfLimitExceeded` when it is
    ///   nested too deep, has too many values or too much text.
    public mutating func decode() throws(RTMPError) -> AMFValue {
        try value(depth: 0)
    }

    private mutating func value(depth: Int) throws(RTMPError) -> AMFValue {
        try allowance.enter(depth: depth)
        try allowance.take(values: 1)
        switch try byte() {
        case 0x00: return .number(try double())
        case 0x01: return .boolean(try byte() != 0)
        case 0x02: return .string(try shortString())
        case 0x03: return .object(try object(depth: depth))
        case 0x05: return .null
        case 0x06: return .undefined
        case 0x07:
            _ = try word()
            return .undefined
        case 0x08:
            // The count is a hint that many writers get wrong; the end marker counts.
            _ = try longWord()
            return .ecmaArray(try object(depth: depth))
        case 0x0A: return .strictArray(try strictArray(depth: depth))
        case 0x0B: return .date(milliseconds: try double(), timeZone: Int16(bitPattern: try word()))
        case 0x0C: return .string(try longString())
        case 0x0D: return .undefined
        case 0x0F: return .xml(try longString())
        case 0x10:
            let name = try shortString()
            return .typedObject(name, try object(depth: depth))
        case 0x11: return try amf3(depth: depth)
        case let marker:
            throw RTMPError(.malformedAMF, "Unknown AMF0 marker \(marker).")
        }
    }

    private mutating func object(depth: Int) throws(RTMPError) -> AMFObject {
        var object = AMFObject()
        while true {
            let key = try shortString()
            if key.isEmpty, buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == 0x09 {
                buffer.moveReaderIndex(forwardBy: 1)
                return object
            }
            object.members.append(.init(key, try value(depth: depth + 1)))
        }
    }

    private mutating func strictArray(depth: Int) throws(RTMPError) -> [AMFValue] {
        let count = try longWord()
        // Every value takes a byte at least.
        guard count <= UInt32(clamping: buffer.readableBytes) else { throw endsEarly() }
        guard Int(count) <= allowance.values else { throw allowance.tooManyValues() }
        var elements: [AMFValue] = []
        // Nested arrays may all claim the same bytes: not more than a little is believed.
        elements.reserveCapacity(Int(min(count, 64)))
        for _ in 0..<count {
            elements.append(try value(depth: depth + 1))
        }
        return elements
    }

    private mutating func amf3(depth: Int) throws(RTMPError) -> AMFValue {
        var decoder = AMF3Decoder(buffer, allowance: allowance, depth: depth)
        let value = try decoder.decode()
        buffer = decoder.remaining
        allowance = decoder.allowance
        return value
    }

    private mutating func shortString() throws(RTMPError) -> String {
        let length = Int(try word())
        guard let string = buffer.readString(length: length) else { throw endsEarly() }
        try allowance.take(text: length)
        return string
    }

    private mutating func longString() throws(RTMPError) -> String {
        let length = try longWord()
        guard length <= UInt32(clamping: buffer.readableBytes), let string = buffer.readString(length: Int(length))
        else { throw endsEarly() }
        try allowance.take(text: Int(length))
        return string
    }

    private mutating func double() throws(RTMPError) -> Double {
        guard let bits = buffer.readInteger(as: UInt64.self) else { throw endsEarly() }
        return Double(bitPattern: bits)
    }

    private mutating func byte() throws(RTMPError) -> UInt8 {
        guard let value = buffer.readInteger(as: UInt8.self) else { throw endsEarly() }
        return value
    }

    private mutating func word() throws(RTMPError) -> UInt16 {
        guard let value = buffer.readInteger(as: UInt16.self) else { throw endsEarly() }
        return value
    }

    private mutating func longWord() throws(RTMPError) -> UInt32 {
        guard let value = buffer.readInteger(as: UInt32.self) else { throw endsEarly() }
        return value
    }

    private func endsEarly() -> RTMPError {
        RTMPError(.malformedAMF, "AMF0 ends inside a value.")
    }
}

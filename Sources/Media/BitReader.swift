import NIOCore

/// Reads bits, most significant first, from a codec header.
///
/// Every read is checked against the end: a header cut short is an error, never a trap. Made with ``init(unescaping:structure:)``
/// it leaves out the emulation prevention bytes of a NAL unit (ISO/IEC 14496-10 §7.4.1) while reading, so that a
/// parameter set need not be copied first.
public struct BitReader: Sendable {
    private let bytes: ByteBufferView
    private let structure: String
    private let unescapes: Bool
    private var nextByte: Int
    private var zeroRun = 0
    private var current: UInt8 = 0
    private var bitsLeft = 0

    /// - Parameters:
    ///   - bytes: the readable bytes are read as they stand.
    ///   - structure: what is being read, named in errors.
    public init(_ bytes: ByteBuffer, structure: String) {
        self.init(bytes, structure: structure, unescapes: false)
    }

    /// Reads a NAL unit's bytes, header included, without its emulation prevention bytes.
    public init(unescaping nalUnit: ByteBuffer, structure: String) {
        self.init(nalUnit, structure: structure, unescapes: true)
    }

    private init(_ bytes: ByteBuffer, structure: String, unescapes: Bool) {
        self.bytes = bytes.readableBytesView
        self.structure = structure
        self.unescapes = unescapes
        self.nextByte = self.bytes.startIndex
    }

    /// True when the next bit is the first of a byte.
    public var isAligned: Bool {
        bitsLeft == 0
    }

    /// How many bits are left at most (emulation prevention bytes still ahead are counted).
    public var bitsRemaining: Int {
        bitsLeft + (bytes.endIndex - nextByte) * 8
    }

    /// One bit.
    public mutating func bit() throws(MediaParseError) -> UInt32 {
        if bitsLeft == 0 {
            try loadByte()
        }
        bitsLeft -= 1
        return UInt32(current >> UInt8(bitsLeft)) & 1
    }

    /// One bit as a truth value.
    public mutating func flag() throws(MediaParseError) -> Bool {
        try bit() == 1
    }

    /// An unsigned number of `count` bits, 0 to 32.
    public mutating func bits(_ count: Int) throws(MediaParseError) -> UInt32 {
        guard count >= 0, count <= 32 else { throw failure("a field of \(count) bits") }
        var value: UInt32 = 0
        var wanted = count
        while wanted > 0 {
            if bitsLeft == 0 {
                try loadByte()
            }
            let taken = Swift.min(wanted, bitsLeft)
            bitsLeft -= taken
            let mask = UInt32(1) << UInt32(taken) &- 1
            value = value << UInt32(taken) | (UInt32(current >> UInt8(bitsLeft)) & mask)
            wanted -= taken
        }
        return value
    }

    /// Passes over `count` bits.
    public mutating func skip(_ count: Int) throws(MediaParseError) {
        guard count >= 0 else { throw failure("a field of \(count) bits") }
        var wanted = count
        while wanted > 0 {
            let step = Swift.min(wanted, 32)
            _ = try bits(step)
            wanted -= step
        }
    }

    /// Passes over the rest of a byte that has been begun.
    public mutating func align() {
        bitsLeft = 0
    }

    /// An unsigned exp-Golomb number, `ue(v)`: 0 to 2³² − 2.
    public mutating func unsignedGolomb() throws(MediaParseError) -> UInt32 {
        var zeros = 0
        while try bit() == 0 {
            zeros += 1
            guard zeros < 32 else { throw failure("an exp-Golomb number over 32 bits") }
        }
        // 2^zeros - 1 + suffix is at most 2^32 - 2 for zeros ≤ 31.
        let base = (UInt32(1) << UInt32(zeros)) &- 1
        return base &+ (try bits(zeros))
    }

    /// A signed exp-Golomb number, `se(v)`.
    public mutating func signedGolomb() throws(MediaParseError) -> Int32 {
        let code = Int64(try unsignedGolomb())
        // 1, -1, 2, -2, …; code is below 2^32, so the result is within Int32.
        let magnitude = (code + 1) / 2
        return Int32(truncatingIfNeeded: code % 2 == 1 ? magnitude : -magnitude)
    }

    /// payloadType or payloadSize of supplemental enhancement information: 255 for each 0xFF byte, plus the byte after them.
    mutating func extendedNumber() throws(MediaParseError) -> Int {
        var value = 0
        while true {
            let byte = Int(try bits(8))
            // Each turn reads a byte, so the loop ends with the unit.
            value += byte
            if byte != 0xFF {
                return value
            }
        }
    }

    /// An error about the structure being read.
    func failure(_ reason: String) -> MediaParseError {
        MediaParseError(structure, reason)
    }

    private mutating func loadByte() throws(MediaParseError) {
        guard nextByte < bytes.endIndex else { throw failure("ends too early") }
        var byte = bytes[nextByte]
        nextByte += 1
        if unescapes {
            if zeroRun >= 2, byte == 3 {
                guard nextByte < bytes.endIndex else { throw failure("ends too early") }
                byte = bytes[nextByte]
                nextByte += 1
                zeroRun = 0
            }
            zeroRun = byte == 0 ? zeroRun + 1 : 0
        }
        current = byte
        bitsLeft = 8
    }
}

import NIOCore

/// What a packager needs of AV1's sequence header (AV1 specification §5.5.1).
public struct AV1SequenceHeader: Sendable, Hashable {
    /// The largest frame size of the sequence.
    public let resolution: Resolution

    /// - Parameter payload: the unit without its OBU header.
    public init(payload: ByteBuffer) throws(MediaParseError) {
        var reader = BitReader(payload, structure: "AV1 sequence header")
        try reader.skip(4)
        if try reader.flag() {
            try reader.skip(5)
        } else {
            try Self.skipOperatingPoints(&reader)
        }
        let widthBits = Int(try reader.bits(4)) + 1
        let heightBits = Int(try reader.bits(4)) + 1
        resolution = Resolution(
            width: Int(try reader.bits(widthBits)) + 1, height: Int(try reader.bits(heightBits)) + 1)
    }

    private static func skipOperatingPoints(_ reader: inout BitReader) throws(MediaParseError) {
        var delayBits: Int?
        if try reader.flag() {
            try reader.skip(64)
            if try reader.flag() {
                _ = try reader.unsignedGolomb()
            }
            if try reader.flag() {
                delayBits = Int(try reader.bits(5)) + 1
                try reader.skip(32 + 5 + 5)
            }
        }
        let hasDisplayDelay = try reader.flag()
        for _ in 0...(try reader.bits(5)) {
            try reader.skip(12)
            if try reader.bits(5) > 7 {
                try reader.skip(1)
            }
            if let delayBits, try reader.flag() {
                try reader.skip(2 * delayBits + 1)
            }
            if hasDisplayDelay, try reader.flag() {
                try reader.skip(4)
            }
        }
    }
}

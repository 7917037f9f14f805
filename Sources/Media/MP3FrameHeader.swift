import NIOCore

/// The 4-byte header of an MPEG audio layer III frame (ISO/IEC 11172-3 §2.4.1.3, 13818-3; MPEG 2.5 by custom).
public struct MP3FrameHeader: Sendable, Hashable {
    /// The standard that the rates come from.
    public enum Version: Sendable, Hashable {
        case mpeg1
        case mpeg2
        case mpeg25
    }

    public let version: Version
    /// Bits a second.
    public let bitRate: Int
    public let sampleRate: Int
    /// 1 or 2.
    public let channels: Int
    /// Bytes of the frame, header included.
    public let frameLength: Int

    /// Samples of each channel in a frame: 1152, or 576 at MPEG 2's lower rates.
    public var samples: Int {
        version == .mpeg1 ? 1152 : 576
    }

    private static let bitRates1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
    private static let bitRates2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    private static let sampleRates = [44_100, 48_000, 32_000]

    /// Whether `bytes` begin with a header that can be read; nil when there are fewer than 4. In bytes that are no audio this
    /// costs much less than reading a header and catching its error.
    public static func stands(atHeadOf bytes: ByteBuffer) -> Bool? {
        guard let head = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self) else { return nil }
        // Sync word and layer III, a version, a bit rate and a sample rate that are not reserved.
        guard head & 0xFFE6_0000 == 0xFFE2_0000, head >> 19 & 0x3 != 1 else { return false }
        return (1...14).contains(head >> 12 & 0xF) && head >> 10 & 0x3 != 3
    }

    /// Reads the header at the head of `bytes`; nil while fewer than 4 bytes are there.
    ///
    /// - Throws: when there is no header of layer III, or one of free bit rate, whose length cannot be known.
    public init?(_ bytes: ByteBuffer) throws(MediaParseError) {
        guard bytes.readableBytes >= 4 else { return nil }
        var reader = BitReader(bytes, structure: "MP3 frame")
        guard try reader.bits(11) == 0x7FF else { throw reader.failure("no sync word") }
        switch try reader.bits(2) {
        case 0: version = .mpeg25
        case 2: version = .mpeg2
        case 3: version = .mpeg1
        default: throw reader.failure("a reserved version")
        }
        guard try reader.bits(2) == 1 else { throw reader.failure("a layer other than III") }
        _ = try reader.flag()
        let rateIndex = Int(try reader.bits(4))
        guard rateIndex > 0, rateIndex < 15 else { throw reader.failure("bit rate index \(rateIndex)") }
        let frequencyIndex = Int(try reader.bits(2))
        guard frequencyIndex < 3 else { throw reader.failure("a reserved sample rate") }
        let padding = Int(try reader.bit())
        _ = try reader.flag()
        channels = try reader.bits(2) == 3 ? 1 : 2
        bitRate = (version == .mpeg1 ? Self.bitRates1[rateIndex] : Self.bitRates2[rateIndex]) * 1000
        let divisor = version == .mpeg1 ? 1 : version == .mpeg2 ? 2 : 4
        sampleRate = Self.sampleRates[frequencyIndex] / divisor
        frameLength = (version == .mpeg1 ? 144 : 72) * bitRate / sampleRate + padding
    }
}

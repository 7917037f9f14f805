import NIOCore

/// FLAC's STREAMINFO (RFC 9639 §8.2).
public struct FLACConfiguration: Sendable, Hashable, Codable {
    /// The record as received: STREAMINFO alone, with its block's header, or behind the marker `fLaC`.
    public let record: ByteBuffer
    /// The 34 bytes of STREAMINFO.
    public let streamInfo: ByteBuffer
    /// Samples of each channel in the longest frame, 16 to 65,535.
    public let mostSamplesPerFrame: Int
    public let sampleRate: Int
    /// 1 to 8.
    public let channels: Int
    /// 4 to 32.
    public let bitsPerSample: Int

    /// `fLaC`, the name in MP4.
    public var codecString: String { "fLaC" }

    private static let structure = "FLAC STREAMINFO"
    private static let length = 34

    /// Encoders send it in one of three ways.
    ///
    /// - Throws: when it is cut short, or is another metadata block.
    public init(record: ByteBuffer) throws(MediaParseError) {
        var bytes = record
        if bytes.getInteger(at: bytes.readerIndex, as: UInt32.self) == 0x664C_6143 {
            bytes.moveReaderIndex(forwardBy: 4)
        }
        // The block's head: STREAMINFO is block 0, the highest bit says that no block follows. STREAMINFO itself begins with the
        // sizes of the shortest and of the longest frame, and cannot be taken for it.
        if bytes.getInteger(at: bytes.readerIndex, as: UInt32.self).map({ $0 & 0x7FFF_FFFF }) == UInt32(Self.length) {
            bytes.moveReaderIndex(forwardBy: 4)
        }
        guard let info = bytes.readSlice(length: Self.length) else {
            throw MediaParseError(Self.structure, "ends too early")
        }
        var reader = BitReader(info, structure: Self.structure)
        let fewest = Int(try reader.bits(16))
        mostSamplesPerFrame = Int(try reader.bits(16))
        try reader.skip(24 + 24)
        sampleRate = Int(try reader.bits(20))
        channels = Int(try reader.bits(3)) + 1
        bitsPerSample = Int(try reader.bits(5)) + 1
        guard fewest >= 16, mostSamplesPerFrame >= fewest, sampleRate > 0, bitsPerSample >= 4 else {
            throw reader.failure("\(mostSamplesPerFrame) samples a frame, \(sampleRate) Hz, \(bitsPerSample) bits")
        }
        self.record = record
        streamInfo = info
    }

    /// Samples of each channel in a frame, read from its head (RFC 9639 §9.1); nil when that cannot be read.
    public static func samples(inFrame frame: ByteBuffer) -> Int? {
        var frame = frame
        guard let head = frame.readInteger(as: UInt32.self), head >> 17 == 0x7FFC,
            let number = frame.readInteger(as: UInt8.self)
        else { return nil }
        let code = Int(head >> 12 & 0xF)
        switch code {
        case 0: return nil
        case 1: return 192
        case 2...5: return 576 << (code - 2)
        case 8...15: return 256 << (code - 8)
        default:
            // The size stands behind the frame's number, which is spelled like a character of UTF-8.
            let more = number < 0x80 ? 0 : (~number).leadingZeroBitCount - 1
            guard (0...6).contains(more), frame.readSlice(length: more) != nil else { return nil }
            if code == 6 { return frame.readInteger(as: UInt8.self).map { Int($0) + 1 } }
            return frame.readInteger(as: UInt16.self).map { Int($0) + 1 }
        }
    }
}

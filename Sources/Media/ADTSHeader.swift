import NIOCore

/// The header before each AAC frame in a stream without a container (ISO/IEC 14496-3 §1.A.2.2).
public struct ADTSHeader: Sendable, Hashable {
    /// Bytes of the header that is written here, which has no checksum.
    public static let length = 7

    /// The longest frame with its header, for the length has 13 bits.
    public static let maximumFrameLength = 8191

    /// 1 to 4, 2 = AAC-LC.
    public let objectType: Int
    public let sampleRate: Int
    /// 0 to 7; 0 when a program config element inside the frame tells the channels.
    public let channelConfiguration: Int
    /// Bytes of this header: 7, or 9 with a checksum.
    public let headerLength: Int
    /// Bytes of the frame, this header included.
    public let frameLength: Int
    /// Raw data blocks in the frame, 1 to 4.
    public let blocks: Int

    /// Samples of each channel in the frame.
    public var samples: Int {
        blocks * 1024
    }

    /// Whether `bytes` begin with a header that can be read; nil when there are fewer than 7. In bytes that are no audio this
    /// costs much less than reading a header and catching its error.
    public static func stands(atHeadOf bytes: ByteBuffer) -> Bool? {
        guard let head = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self),
            let tail = bytes.getInteger(at: bytes.readerIndex + 3, as: UInt32.self)
        else { return nil }
        // Sync word and layer.
        guard head & 0xFFF6_0000 == 0xFFF0_0000, head >> 10 & 0xF < AudioSpecificConfig.sampleRates.count else {
            return false
        }
        let length = (head & 0x3) << 11 | tail >> 13 & 0x7FF
        return length > (head & 0x1_0000 == 0 ? 9 : 7)
    }

    /// Reads the header at the head of `bytes`; nil while fewer than 7 bytes are there.
    ///
    /// - Throws: when there is no header, or one that contradicts itself.
    public init?(_ bytes: ByteBuffer) throws(MediaParseError) {
        guard bytes.readableBytes >= Self.length else { return nil }
        var reader = BitReader(bytes, structure: "ADTS header")
        guard try reader.bits(12) == 0xFFF else { throw reader.failure("no sync word") }
        _ = try reader.flag()
        guard try reader.bits(2) == 0 else { throw reader.failure("a layer other than 0") }
        headerLength = try reader.flag() ? 7 : 9
        objectType = Int(try reader.bits(2)) + 1
        let index = Int(try reader.bits(4))
        guard index < AudioSpecificConfig.sampleRates.count else { throw reader.failure("sample rate index \(index)") }
        sampleRate = AudioSpecificConfig.sampleRates[index]
        _ = try reader.flag()
        channelConfiguration = Int(try reader.bits(3))
        try reader.skip(4)
        frameLength = Int(try reader.bits(13))
        try reader.skip(11)
        blocks = Int(try reader.bits(2)) + 1
        guard frameLength > headerLength else { throw reader.failure("a frame of \(frameLength) bytes") }
    }
}

extension AACConfiguration {
    /// Why frames of this configuration cannot have ADTS headers; nil when they can.
    ///
    /// ADTS has 2 bits for the object type, an index for the sample rate and 3 bits for the channels.
    public var reasonAgainstADTS: String? {
        if !(1...4).contains(objectType) {
            return "object type \(objectType) does not fit into ADTS"
        }
        if !AudioSpecificConfig.sampleRates.contains(sampleRate) {
            return "a sample rate of \(sampleRate) Hz does not fit into ADTS"
        }
        if channelConfiguration > 7 {
            return "channel configuration \(channelConfiguration) does not fit into ADTS"
        }
        if samplesPerFrame != 1024 {
            return "frames of \(samplesPerFrame) samples do not fit into ADTS"
        }
        return nil
    }

    /// The bytes that stand between the header and the frame: the program config element of a channelConfiguration 0.
    public var bytesBehindADTSHeader: Int {
        programConfigElement?.readableBytes ?? 0
    }

    /// Writes the ADTS header of a frame of `frameLength` bytes, not counting the header, and the program config element when
    /// only that tells the channels. The frame has to follow directly.
    ///
    /// - Throws: when ``reasonAgainstADTS`` is not nil, or the frame with its header is over 8,191 bytes.
    public func writeADTSHeader(frameLength: Int, into buffer: inout ByteBuffer) throws(MediaParseError) {
        guard reasonAgainstADTS == nil, let index = AudioSpecificConfig.sampleRates.firstIndex(of: sampleRate) else {
            throw MediaParseError("ADTS header", reasonAgainstADTS ?? "")
        }
        let (length, overflow) = frameLength.addingReportingOverflow(ADTSHeader.length + bytesBehindADTSHeader)
        guard !overflow, frameLength >= 0, length <= ADTSHeader.maximumFrameLength else {
            throw MediaParseError("ADTS header", "a frame of \(frameLength) bytes is too long")
        }
        // Sync word, MPEG-4, layer 0, no checksum; the buffer's fullness 0x7FF says variable rate; one block.
        let channels = UInt64(channelConfiguration)
        var bits: UInt64 = 0xFFF1 << 40
        bits |= UInt64(objectType - 1) << 38
        bits |= UInt64(index) << 34
        bits |= channels << 30
        bits |= UInt64(length) << 13
        bits |= 0x7FF << 2
        buffer.writeInteger(UInt32(truncatingIfNeeded: bits >> 24))
        buffer.writeInteger(UInt16(truncatingIfNeeded: bits >> 8))
        buffer.writeInteger(UInt8(truncatingIfNeeded: bits))
        if let programConfigElement {
            buffer.writeImmutableBuffer(programConfigElement)
        }
    }
}

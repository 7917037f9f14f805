import NIOCore

/// H.264's AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1).
public struct AVCConfiguration: Sendable, Hashable {
    public var profile: UInt8
    public var compatibility: UInt8
    public var level: UInt8
    /// Bytes in each NAL unit's length prefix: 1, 2 or 4.
    public var lengthSize: Int
    public var sequenceParameterSets: [ByteBuffer]
    public var pictureParameterSets: [ByteBuffer]
    /// The record as received, written back untouched into `avcC`.
    public var record: ByteBuffer
    public var resolution: Resolution?
    public var codecString: String { "" }
    public init(record: ByteBuffer) throws(MediaParseError) { throw MediaParseError("avcC", "placeholder") }
}
public struct HEVCConfiguration: Sendable, Hashable {
    public var lengthSize: Int
    public var videoParameterSets: [ByteBuffer]
    public var sequenceParameterSets: [ByteBuffer]
    public var pictureParameterSets: [ByteBuffer]
    public var record: ByteBuffer
    public var resolution: Resolution?
    public var codecString: String { "" }
    public init(record: ByteBuffer) throws(MediaParseError) { throw MediaParseError("hvcC", "placeholder") }
}
public struct AV1Configuration: Sendable, Hashable {
    public var record: ByteBuffer
    public var resolution: Resolution?
    public var codecString: String { "" }
    public init(record: ByteBuffer) throws(MediaParseError) { throw MediaParseError("av1C", "placeholder") }
}
public struct VP9Configuration: Sendable, Hashable {
    public var record: ByteBuffer
    public var resolution: Resolution?
    public var codecString: String { "" }
    public init(record: ByteBuffer) throws(MediaParseError) { throw MediaParseError("vpcC", "placeholder") }
}
public struct AACConfiguration: Sendable, Hashable {
    /// MPEG-4 audio object type (2 = AAC-LC).
    public var objectType: Int
    public var sampleRate: Int
    public var channels: Int
    /// The AudioSpecificConfig as received.
    public var record: ByteBuffer
    public var codecString: String { "" }
    public init(record: ByteBuffer) throws(MediaParseError) { throw MediaParseError("AudioSpecificConfig", "placeholder") }
}
public struct MP3Configuration: Sendable, Hashable {
    public var sampleRate: Int
    public var channels: Int
    public var codecString: String { "" }
    /// From the first frame's header.
    public init(frame: ByteBuffer) throws(MediaParseError) { throw MediaParseError("MP3 frame", "placeholder") }
}
public struct OpusConfiguration: Sendable, Hashable {
    public var channels: Int
    public var preSkip: Int
    public var record: ByteBuffer
    public var codecString: String { "" }
    /// From an OpusHead (RFC 7845 §5.1), as enhanced RTMP's sequence start carries it.
    public init(record: ByteBuffer) throws(MediaParseError) { throw MediaParseError("OpusHead", "placeholder") }
}

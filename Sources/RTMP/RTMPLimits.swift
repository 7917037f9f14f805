import NIOCore

/// What a peer may make us hold or do. Limits are checked before memory is taken.
public struct RTMPLimits: Sendable, Hashable {
    /// The largest chunk size taken from a peer; a larger announcement counts as this one. No message is longer than
    /// 16 MiB − 1 (its length has 24 bits), so nothing is lost. Default 16 MiB.
    public var maxChunkSize = 16_777_216
    /// The longest audio, video or aggregate message, in bytes. Default 8 MiB.
    public var maxMediaMessageSize = 8_388_608
    /// The longest data message (`onMetaData`), in bytes. Default 256 KiB: some encoders forward a file's seek table.
    public var maxDataMessageSize = 262_144
    /// The longest command or any other message, in bytes. Default 64 KiB.
    public var maxCommandMessageSize = 65_536
    /// Chunk streams that may have an unfinished message at the same time. Default 64.
    public var maxPartialMessages = 64
    /// Chunk streams a connection may ever use (each costs about 100 bytes of header state). Default 512.
    public var maxChunkStreams = 512
    /// Bytes of all unfinished messages together. Default 16 MiB.
    public var maxPartialBytes = 16_777_216
    /// Bytes received but not decoded, while a decision (connect, publish, play) is awaited. Default 1 MiB.
    public var maxUndecodedBytes = 1_048_576
    /// Bytes of replies waiting to be taken. Default 256 KiB: a peer that asks faster than it reads is cut off.
    public var maxOutputBytes = 262_144
    /// First allocation for a message that spans chunks: the announced length is not believed beyond this. Default 64
    /// KiB.
    public var initialBodyCapacity = 65_536
    /// Message streams (createStream) open at once. Default 8.
    public var maxMessageStreams = 8
    /// Bytes of media taken and thrown away because no stream is being published. Default 4 MiB.
    public var maxIgnoredMediaBytes = 4_194_304
    /// Decoding work a peer may cause; see ``DecodeBudget``.
    public var decodeBudget = DecodeBudget.Limits()
    /// Depth and number of AMF values.
    public var amf = AMFLimits()

    public init() {}

    /// The longest message of a type, in bytes.
    func maxSize(of type: RTMPMessageType) -> Int {
        switch type {
        case .audio, .video, .aggregate: maxMediaMessageSize
        case .dataAMF0, .dataAMF3: maxDataMessageSize
        default: maxCommandMessageSize
        }
    }
}

/// Depth and number of AMF values in one message; their size is bounded by the message's.
public struct AMFLimits: Sendable, Hashable {
    /// Objects and arrays inside each other. Default 32.
    public var maxDepth = 32
    /// Values in one message, nested ones included. Default 16,384.
    public var maxValues = 16_384

    public init() {}
}

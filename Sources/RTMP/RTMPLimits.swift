import NIOCore

/// What a peer may cause to be held or done. Limits are checked before memory is taken.
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
    /// Bytes of replies waiting to be taken. Default 256 KiB: a peer that asks faster than it reads is cut off. One message's
    /// replies, about 2 KiB at most, may come on top.
    public var maxOutputBytes = 262_144
    /// Message streams (createStream) open at once. Default 8.
    public var maxMessageStreams = 8
    /// The longest `app`, `tcUrl` and stream name with their queries, in bytes. Default 4 KiB.
    public var maxNameSize = 4_096
    /// Bytes of media taken and thrown away because no stream is being published; a message counts as 64 at least. Default
    /// 4 MiB.
    public var maxIgnoredMediaBytes = 4_194_304
    /// Decoding work a peer may cause; see ``DecodeBudget``.
    public var decodeBudget = DecodeBudget.Limits()
    /// Of AMF in data messages.
    public var dataAMF = AMFLimits()
    /// Of AMF in commands, which have a dozen values or two. Default 512 values and 64 KiB of text.
    public var commandAMF = AMFLimits(maxValues: 512, maxTextBytes: 65_536)

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

/// What AMF in one message may hold.
public struct AMFLimits: Sendable, Hashable {
    /// Objects and arrays inside each other. Default 32.
    public var maxDepth: Int
    /// Values in one message, nested ones included. Default 16,384.
    public var maxValues: Int
    /// Bytes of all texts and names together, counted each time one is given: AMF3 lets a few bytes refer to a text that came
    /// before, and whoever writes the values out writes it in full. Default 1 MiB, four times the longest data message.
    public var maxTextBytes: Int

    public init(maxDepth: Int = 32, maxValues: Int = 16_384, maxTextBytes: Int = 1_048_576) {
        self.maxDepth = maxDepth
        self.maxValues = maxValues
        self.maxTextBytes = maxTextBytes
    }
}

/// What is left of a message's ``AMFLimits`` while it is decoded.
struct AMFAllowance: Sendable {
    private let limits: AMFLimits
    private(set) var values: Int
    private var textBytes: Int

    init(_ limits: AMFLimits) {
        self.limits = limits
        values = limits.maxValues
        textBytes = limits.maxTextBytes
    }

    func enter(depth: Int) throws(RTMPError) {
        guard depth <= limits.maxDepth else {
            throw RTMPError(.amfLimitExceeded, "AMF nested deeper than \(limits.maxDepth).")
        }
    }

    mutating func take(values count: Int) throws(RTMPError) {
        guard count <= values else { throw tooManyValues() }
        values -= count
    }

    /// - Parameter count: bytes.
    mutating func take(text count: Int) throws(RTMPError) {
        guard count <= textBytes else {
            throw RTMPError(.amfLimitExceeded, "More than \(limits.maxTextBytes) bytes of text in AMF.")
        }
        textBytes -= count
    }

    func tooManyValues() -> RTMPError {
        RTMPError(.amfLimitExceeded, "More than \(limits.maxValues) AMF values.")
    }
}

/// Why a connection cannot go on, or a message cannot be used: a code to act on and a sentence for the log.
public struct RTMPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: String, Sendable, Hashable {
        /// The first byte is not RTMP version 3 (RTMPE, TLS or HTTP on the wrong port).
        case handshakeVersion
        /// Handshake, connect or a ping's answer did not come in time.
        case timeout
        /// Set Chunk Size of 0 or with its high bit set.
        case invalidChunkSize
        /// A chunk that refers to an earlier header which never came, or breaks into an unfinished message.
        case invalidChunk
        /// A message longer than its type may be.
        case messageTooLarge
        /// More chunk streams, or more unfinished messages, than a connection may have.
        case tooManyChunkStreams
        /// More bytes held back (unfinished messages, undecoded input, unsent output) than a connection may have.
        case tooMuchBuffered
        /// Far more chunks than bytes: one-byte chunks and the like.
        case decodeWorkExceeded
        /// A control, command or aggregate message whose bytes do not parse.
        case malformedMessage
        /// AMF that ends early or holds an unknown marker.
        case malformedAMF
        /// AMF nested deeper, or with more values, than allowed.
        case amfLimitExceeded
        /// An audio or video body whose header does not parse.
        case malformedTag
        /// An audio or video codec that is not carried.
        case unsupportedCodec
        /// A well-formed message at a moment, or for a stream, where it may not come.
        case protocolViolation
        /// A URL that is not `rtmp://host/app/stream`.
        case invalidURL
    }

    public var code: Code
    /// One sentence in English without secrets.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String {
        "\(code.rawValue): \(message)"
    }
}

import NIOCore

/// A request of a client, and its answer.
public struct StrictExchange: Sendable {
    /// The query of a playlist request (RFC 8216bis §6.2.5).
    public struct Directives: Sendable, Hashable {
        public var sequence: Int?
        public var part: Int?
        public var skips: Bool

        public init(sequence: Int? = nil, part: Int? = nil, skips: Bool = false) {
            self.sequence = sequence
            self.part = part
            self.skips = skips
        }
    }

    public enum Subject: Sendable, Hashable {
        /// A media playlist by its name.
        case playlist(String, Directives)
        /// A map, segment or part by its address as the playlist has it.
        case media(String)
    }

    public var subject: Subject
    public var sent: NIODeadline
    /// When the last byte had come.
    public var received: NIODeadline
    public var status: Int
    public var contentType: String
    public var body: ByteBuffer

    public init(
        _ subject: Subject, sent: NIODeadline, received: NIODeadline, status: Int = 200,
        contentType: String = "application/vnd.apple.mpegurl", body: ByteBuffer = ByteBuffer()
    ) {
        self.subject = subject
        self.sent = sent
        self.received = received
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

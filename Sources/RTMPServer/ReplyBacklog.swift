import NIOCore

/// Counts the replies that were given to the socket and that the peer has not made room for.
///
/// A peer that asks faster than it reads is not read itself, and one that makes replies pile up all the same is cut off. A
/// few replies may wait for ever: encoders built on librtmp never read, and get an acknowledgement now and then.
struct ReplyBacklog: Sendable {
    /// From so many bytes on nothing more is read from the peer.
    static let readingStops = 16 << 10
    /// The most that may wait, in bytes.
    static let limit = 256 << 10

    private(set) var bytes = 0
    /// Since when nothing has been read from the peer because of its replies.
    private var stoppedSince: NIODeadline?

    mutating func add(_ count: Int, now: NIODeadline) {
        bytes += count
        if stopsReading, stoppedSince == nil { stoppedSince = now }
    }

    mutating func remove(_ count: Int) {
        assert(count <= bytes, "more replies were sent than were waiting")
        bytes = max(0, bytes - count)
        if !stopsReading { stoppedSince = nil }
    }

    var stopsReading: Bool { bytes >= ReplyBacklog.readingStops }

    var isOverLimit: Bool { bytes > ReplyBacklog.limit }

    /// Whether the peer has taken too little for `patience`.
    func isStuck(for patience: TimeAmount, now: NIODeadline) -> Bool {
        stoppedSince.map { now - $0 >= patience } ?? false
    }
}

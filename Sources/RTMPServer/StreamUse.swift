import Admission
import Basics
import Live
import RTMP

/// One publish or one play on a message stream of a connection.
///
/// A message stream is used again and again; what comes late for an earlier use must not touch the present one.
struct StreamUse: Sendable, Hashable {
    let streamID: UInt32
    /// Counts the uses of one connection.
    let number: UInt64
}

/// A stream that a connection publishes, from the moment it asks.
struct RTMPPublication {
    let use: StreamUse
    /// nil while it is being decided whether it may.
    private(set) var publication: Publication?
    private var clock = TimestampUnwrapper(bits: 32)

    init(_ use: StreamUse) {
        self.use = use
    }

    mutating func begin(_ publication: Publication) {
        self.publication = publication
    }

    mutating func send(_ message: MediaMessage) {
        // An empty message is what some encoders send for an end of stream; there is nothing in it to pass on.
        guard message.body.readableBytes > 0 else { return }
        let timestamp = clock.unwrap(message.timestamp)
        publication?.send(StreamSample(message.isVideo ? .video : .audio, timestamp: timestamp, body: message.body))
    }

    mutating func send(_ message: RTMPDataMessage) {
        let timestamp = clock.unwrap(message.timestamp)
        publication?.send(StreamSample(message, timestamp: timestamp))
    }
}

/// A stream that a connection plays, from the moment it asks.
struct RTMPPlay {
    /// What there is once it was let in.
    struct Running {
        let hub: StreamHub
        let subscriber: RTMPSubscriber
        /// What `Admissions` knows the viewer by.
        let session: String
        /// What of its bytes `Admissions` knows.
        var counted: Int64 = 0
    }

    let use: StreamUse
    /// nil while it is being decided whether it may.
    var running: Running?

    mutating func begin(_ hub: StreamHub, _ subscriber: RTMPSubscriber, session: String) {
        running = Running(hub: hub, subscriber: subscriber, session: session)
        hub.meter.countConnections(rtmp: 1)
    }

    /// Tells what was sent since the last time.
    mutating func countSent(_ admissions: Admissions) {
        guard let running else { return }
        let bytes = running.subscriber.statistics.bytes
        admissions.sent(Int(bytes - running.counted), session: running.session)
        running.hub.meter.count(rtmp: bytes - running.counted)
        self.running?.counted = bytes
    }

    /// Takes it off the stream, and gives what there was; nil when it had not begun.
    mutating func end(_ admissions: Admissions) -> Running? {
        guard let ended = running else { return nil }
        countSent(admissions)
        running = nil
        ended.hub.meter.countConnections(rtmp: -1)
        ended.hub.detach(ended.subscriber)
        return ended
    }

    /// A player that wants video again gets it from the next keyframe on.
    func setVideo(_ wanted: Bool) {
        guard let subscriber = running?.subscriber, subscriber.filter.video != wanted else { return }
        subscriber.filter.video = wanted
    }
}

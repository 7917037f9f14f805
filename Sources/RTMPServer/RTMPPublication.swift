import Basics
import Live
import RTMP

/// A stream that a connection publishes: unwraps its clock and hands its messages to the hub.
struct RTMPPublication {
    let publication: Publication
    private var clock = TimestampUnwrapper(bits: 32)

    init(_ publication: Publication) {
        self.publication = publication
    }

    mutating func send(_ message: MediaMessage) {
        // An empty message is what some encoders send for an end of stream; there is nothing in it to pass on.
        guard message.body.readableBytes > 0 else { return }
        publication.send(
            message.isVideo ? .video : .audio, timestamp: clock.unwrap(message.timestamp), body: message.body)
    }

    mutating func send(_ message: RTMPDataMessage) {
        publication.send(
            .data, timestamp: clock.unwrap(message.timestamp), body: message.body,
            metadata: message.metadata.map { .object($0) })
    }
}

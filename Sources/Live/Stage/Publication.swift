import NIOCore
import RTMP

/// A publisher's hold on a stream: what it sends goes in here.
///
/// Call from one event loop, in order. When that is the hub's own, nothing is scheduled.
public struct Publication: Sendable {
    public let hub: StreamHub
    public let publisher: Publisher

    /// - Parameters:
    ///   - timestamp: the publisher's own, unwrapped, in milliseconds.
    ///   - metadata: for data messages that are `onMetaData`, its value.
    public func send(_ kind: StreamMessage.Kind, timestamp: Int64, body: ByteBuffer, metadata: AMFValue? = nil) {
        let id = publisher.id
        hub.onLoop { [hub] in
            hub.receive(kind, timestamp: timestamp, body: body, metadata: metadata, from: id)
        }
    }

    /// The bytes at hand are all read.
    public func readComplete() {
        hub.onLoop { [hub] in hub.readComplete() }
    }

    /// - Parameter isOrderly: the encoder said that it is done; otherwise its connection broke and it may return.
    public func end(isOrderly: Bool) {
        let id = publisher.id
        hub.onLoop { [hub] in hub.end(id, isOrderly: isOrderly) }
    }
}

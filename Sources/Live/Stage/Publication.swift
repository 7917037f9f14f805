import Media
import NIOCore
import RTMP
import Synchronization

/// A publisher's hold on a stream: what it sends goes in here.
///
/// When the hub lives on the publisher's own event loop, nothing is scheduled. On another one, what one read of the socket
/// brought is handed over together, and what was handed over and not yet taken is bounded: ``mayRead`` says when to stop
/// reading.
///
/// `@unchecked Sendable`: `waiting` is touched on `eventLoop`, the publisher's, alone, where every call goes first.
public final class Publication: @unchecked Sendable {
    public let hub: StreamHub
    public let publisher: Publisher
    private let eventLoop: any EventLoop

    /// Called on the publisher's event loop when ``mayRead`` has become true again. Set it there, before the first message.
    public var onReady: (@Sendable () -> Void)?

    /// Messages of the read at hand, for a hub on another event loop.
    private var waiting: [ReceivedMessage] = []
    private var waitingBytes = 0
    /// Bytes handed over that the hub has not taken.
    private let handedOver = Atomic<Int>(0)

    /// Bytes that a hub on another event loop may be behind before its publisher is read no further.
    public static let mostHandedOver = 1 << 20
    /// What a message costs besides its body, so that empty ones count too.
    private static let messageCost = 256

    init(hub: StreamHub, publisher: Publisher, eventLoop: any EventLoop) {
        self.hub = hub
        self.publisher = publisher
        self.eventLoop = eventLoop
    }

    /// Whether the publisher's socket may be read; false while the hub's event loop lags behind. See ``onReady``.
    public var mayRead: Bool {
        handedOver.load(ordering: .relaxed) < Publication.mostHandedOver
    }

    /// - Parameters:
    ///   - timestamp: the publisher's own, unwrapped, in milliseconds.
    ///   - body: the body of an RTMP message of this kind.
    ///   - metadata: for data messages that are `onMetaData`, its value.
    public func send(_ kind: TrackID.Kind, timestamp: Int64, body: ByteBuffer, metadata: AMFValue? = nil) {
        let message = ReceivedMessage(kind: kind, timestamp: timestamp, body: body, metadata: metadata)
        if eventLoop.inEventLoop {
            send(message)
        } else {
            eventLoop.execute { self.send(message) }
        }
    }

    private func send(_ message: ReceivedMessage) {
        guard hub.eventLoop !== eventLoop else {
            hub.receive(message, from: publisher.id)
            return
        }
        waiting.append(message)
        waitingBytes += message.body.readableBytes + Publication.messageCost
    }

    /// The bytes at hand are all read.
    public func readComplete() {
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.readComplete() }
            return
        }
        if hub.eventLoop === eventLoop {
            hub.readComplete()
        } else {
            handOver()
        }
    }

    /// - Parameter isOrderly: the encoder said that it is done; otherwise its connection broke and it may return.
    public func end(isOrderly: Bool) {
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.end(isOrderly: isOrderly) }
            return
        }
        handOver()
        let id = publisher.id
        hub.onLoop { [hub] in hub.end(id, isOrderly: isOrderly) }
    }

    private func handOver() {
        guard !waiting.isEmpty else { return }
        let messages = waiting
        let bytes = waitingBytes
        waiting.removeAll()
        waitingBytes = 0
        handedOver.wrappingAdd(bytes, ordering: .relaxed)
        hub.eventLoop.execute { self.take(messages, bytes: bytes) }
    }

    /// On the hub's event loop.
    private func take(_ messages: [ReceivedMessage], bytes: Int) {
        for message in messages { hub.receive(message, from: publisher.id) }
        hub.readComplete()
        let (before, after) = handedOver.wrappingSubtract(bytes, ordering: .relaxed)
        if before >= Publication.mostHandedOver, after < Publication.mostHandedOver {
            eventLoop.execute { self.onReady?() }
        }
    }
}

/// An RTMP message as its publisher sent it.
struct ReceivedMessage: Sendable {
    var kind: TrackID.Kind
    /// The publisher's own, unwrapped, in milliseconds.
    var timestamp: Int64
    var body: ByteBuffer
    /// The value of `onMetaData`.
    var metadata: AMFValue?
}

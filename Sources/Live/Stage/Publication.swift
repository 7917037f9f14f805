import NIOCore
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

    /// Called on the publisher's event loop when ``mayRead`` has become true again. Set it there, before the first sample.
    public var onReady: (@Sendable () -> Void)?

    /// Samples of the read at hand, for a hub on another event loop.
    private var waiting: [StreamSample] = []
    private var waitingBytes = 0
    /// Bytes handed over that the hub has not taken.
    private let handedOver = Atomic<Int>(0)

    /// Bytes that a hub on another event loop may be behind before its publisher is read no further.
    public static let mostHandedOver = 1 << 20
    /// What a sample costs besides its bytes, so that empty ones count too.
    private static let sampleCost = 256

    init(hub: StreamHub, publisher: Publisher, eventLoop: any EventLoop) {
        self.hub = hub
        self.publisher = publisher
        self.eventLoop = eventLoop
    }

    /// Whether the publisher's socket may be read; false while the hub's event loop lags behind. See ``onReady``.
    public var mayRead: Bool {
        handedOver.load(ordering: .relaxed) < Publication.mostHandedOver
    }

    /// The next sample, with the publisher's own time, unwrapped. Samples of a track come in decode order; what they are
    /// away from the stream's timeline is the hub's to see to.
    public func send(_ sample: StreamSample) {
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.send(sample) }
            return
        }
        guard hub.eventLoop !== eventLoop else {
            hub.receive(sample, from: publisher.id)
            return
        }
        waiting.append(sample)
        waitingBytes += sample.byteCount + Publication.sampleCost
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
        let samples = waiting
        let bytes = waitingBytes
        waiting.removeAll()
        waitingBytes = 0
        handedOver.wrappingAdd(bytes, ordering: .relaxed)
        hub.eventLoop.execute { self.take(samples, bytes: bytes) }
    }

    /// On the hub's event loop.
    private func take(_ samples: [StreamSample], bytes: Int) {
        for sample in samples { hub.receive(sample, from: publisher.id) }
        hub.readComplete()
        let (before, after) = handedOver.wrappingSubtract(bytes, ordering: .relaxed)
        if before >= Publication.mostHandedOver, after < Publication.mostHandedOver {
            eventLoop.execute { self.onReady?() }
        }
    }
}

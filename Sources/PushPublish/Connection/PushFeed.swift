import Live
import NIOCore

/// Feeds a hub's stream to an accepted connection, and watches that the destination takes it.
///
/// For every kind of destination that takes the hub's RTMP bytes. `@unchecked Sendable`: everything mutable is touched on
/// the channel's event loop alone.
final class PushFeed: @unchecked Sendable {
    enum Event: Sendable {
        /// The destination acknowledged the first media.
        case flowing
        case failed(PushFailure)
        /// The hub has nothing more.
        case sourceEnded
    }

    /// How often acknowledged bytes are looked at: often until the first media is acknowledged, then seldom.
    private static let firstInterval = TimeAmount.milliseconds(50)
    private static let interval = TimeAmount.seconds(1)

    private let hub: StreamHub
    private let channel: any Channel
    private let sendTimeout: TimeAmount
    private let subscriber: RTMPSubscriber
    private let progress: (any Channel) -> EventLoopFuture<Int64?>
    private let sendMetadata: (ByteBuffer) -> Void
    private let tell: (Event) -> Void
    private let meter: ByteMeter?
    private var watchdog: LivenessWatchdog
    private var poll: Scheduled<Void>?
    /// Bytes handed over when the first media was about to be: what came before is control traffic and headers, whose
    /// acknowledgement says nothing.
    private var mediaMark: Int64?
    private var isFlowing = false
    private var isAttached = false
    private var isOver = false

    /// On the channel's event loop, whose clock the feed goes by.
    /// - Parameters:
    ///   - progress: gives the bytes that the peer has acknowledged; nil when the channel is closed.
    ///   - sendMetadata: called on the event loop, before any media, with the encoder's `onMetaData` message.
    ///   - tell: called on the event loop; after `failed` or `sourceEnded` nothing comes.
    init(
        hub: StreamHub, channel: any Channel, messageStreamID: UInt32, sendTimeout: TimeAmount,
        progress: @escaping (any Channel) -> EventLoopFuture<Int64?> = TCPProgress.acknowledged,
        sendMetadata: @escaping (ByteBuffer) -> Void, tell: @escaping (Event) -> Void
    ) {
        self.hub = hub
        self.channel = channel
        self.sendTimeout = sendTimeout
        self.progress = progress
        self.sendMetadata = sendMetadata
        self.tell = tell
        subscriber = RTMPSubscriber(role: .push, channel: channel, messageStreamID: messageStreamID)
        meter = try? channel.pipeline.syncOperations.handler(type: ByteMeter.self)
        watchdog = LivenessWatchdog(timeout: sendTimeout, now: channel.eventLoop.now)
    }

    var counters: PushCounters {
        PushCounters(bytes: subscriber.statistics.bytes, droppedFrames: subscriber.statistics.droppedFrames)
    }

    func start() {
        guard !isOver else { return }
        subscriber.onStart = { [weak self] in
            guard let self, self.mediaMark == nil else { return }
            self.mediaMark = self.meter?.handedOver ?? 0
        }
        subscriber.onEnd = { [weak self] ending in
            switch ending {
            case .streamEnded: self?.finish(.sourceEnded)
            case .tooSlow:
                self?.finish(.failed(PushFailure(.tooSlow, "the destination is slower than the stream")))
            }
        }
        try? channel.pipeline.syncOperations.addHandler(WritabilityHandler(subscriber))
        schedulePoll()
        // Nothing is delivered before the metadata has gone out.
        subscriber.setPaused(true)
        let (hub, subscriber, eventLoop) = (hub, subscriber, channel.eventLoop)
        Task {
            let isAttached = await hub.attach(subscriber)
            let metadata = isAttached ? await hub.report()?.metadataBody : nil
            eventLoop.execute { self.attached(isAttached, metadata) }
        }
    }

    private func attached(_ isAttached: Bool, _ metadata: ByteBuffer?) {
        guard isAttached else {
            finish(.sourceEnded)
            return
        }
        guard !isOver else {
            hub.detach(subscriber)
            return
        }
        self.isAttached = true
        if let metadata { sendMetadata(metadata) }
        subscriber.setPaused(false)
    }

    /// Media stops at once; nothing is told any more.
    func stop() {
        guard !isOver else { return }
        isOver = true
        poll?.cancel()
        subscriber.onStart = nil
        subscriber.onEnd = nil
        // Not attached yet: `attached` detaches.
        subscriber.setPaused(true)
        if isAttached { hub.detach(subscriber) }
    }

    private func finish(_ event: Event) {
        guard !isOver else { return }
        stop()
        tell(event)
    }

    // MARK: Liveness

    private func schedulePoll() {
        poll = channel.eventLoop.scheduleTask(in: isFlowing ? PushFeed.interval : PushFeed.firstInterval) {
            [weak self] in
            guard let self, !self.isOver else { return }
            self.progress(self.channel).whenSuccess { acknowledged in
                guard !self.isOver else { return }
                if let acknowledged { self.look(acknowledged) }
                if !self.isOver { self.schedulePoll() }
            }
        }
    }

    private func look(_ acknowledged: Int64) {
        if !isFlowing, let mediaMark, acknowledged > mediaMark {
            isFlowing = true
            tell(.flowing)
        }
        guard !isOver else { return }
        let outstanding = (meter?.handedOver ?? 0) - acknowledged
        if watchdog.check(acknowledged: acknowledged, outstanding: outstanding, now: channel.eventLoop.now) == .wedged {
            let seconds = sendTimeout.nanoseconds / 1_000_000_000
            finish(.failed(PushFailure(.wedged, "the destination has acknowledged nothing for \(seconds) s")))
        }
    }

    /// Lets the subscriber go on when the channel can take more.
    private final class WritabilityHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let subscriber: RTMPSubscriber

        init(_ subscriber: RTMPSubscriber) {
            self.subscriber = subscriber
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            if context.channel.isWritable { subscriber.writabilityChanged() }
            context.fireChannelWritabilityChanged()
        }
    }
}

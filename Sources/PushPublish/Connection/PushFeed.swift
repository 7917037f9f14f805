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
    private let reader: RTMPSubscriber
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

    /// On the channel's event loop.
    /// - Parameter tell: called on the event loop; after `failed` or `sourceEnded` nothing comes.
    init(
        hub: StreamHub, channel: any Channel, messageStreamID: UInt32, sendTimeout: TimeAmount,
        tell: @escaping (Event) -> Void
    ) {
        self.hub = hub
        self.channel = channel
        self.sendTimeout = sendTimeout
        self.tell = tell
        reader = RTMPSubscriber(role: .push, channel: channel, messageStreamID: messageStreamID)
        meter = try? channel.pipeline.syncOperations.handler(type: ByteMeter.self)
        watchdog = LivenessWatchdog(timeout: sendTimeout, now: channel.eventLoop.now)
    }

    var counters: PushCounters {
        PushCounters(bytes: reader.statistics.bytes, droppedFrames: reader.statistics.droppedFrames)
    }

    func start() {
        guard !isOver else { return }
        reader.onStart = { [weak self] in
            guard let self, self.mediaMark == nil else { return }
            self.mediaMark = self.meter?.handedOver ?? 0
        }
        reader.onEnd = { [weak self] ending in
            switch ending {
            case .streamEnded: self?.finish(.sourceEnded)
            case .tooSlow:
                self?.finish(.failed(PushFailure(.tooSlow, "the destination is slower than the stream")))
            }
        }
        try? channel.pipeline.syncOperations.addHandler(WritabilityHandler(reader))
        schedulePoll()
        let (hub, reader, eventLoop) = (hub, reader, channel.eventLoop)
        Task {
            let isAttached = await hub.attach(reader)
            eventLoop.execute { self.attached(isAttached) }
        }
    }

    private func attached(_ isAttached: Bool) {
        guard isAttached else {
            finish(.sourceEnded)
            return
        }
        guard !isOver else {
            hub.detach(reader)
            return
        }
        self.isAttached = true
    }

    /// Media stops at once; nothing is told any more.
    func stop() {
        guard !isOver else { return }
        isOver = true
        poll?.cancel()
        reader.onStart = nil
        reader.onEnd = nil
        // Not attached yet: `attached` detaches.
        reader.setPaused(true)
        if isAttached { hub.detach(reader) }
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
            TCPProgress.acknowledged(self.channel).whenSuccess { acknowledged in
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

    /// Lets the reader go on when the channel can take more.
    private final class WritabilityHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let reader: RTMPSubscriber

        init(_ reader: RTMPSubscriber) {
            self.reader = reader
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            if context.channel.isWritable { reader.writabilityChanged() }
            context.fireChannelWritabilityChanged()
        }
    }
}

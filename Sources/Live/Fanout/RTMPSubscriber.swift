import NIOCore
import Synchronization

/// Where a subscriber's bytes go when that is not simply its channel. Everything is called on the channel's event loop.
public protocol SubscriberOutput: AnyObject {
    var isWritable: Bool { get }
    func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?)
    func flush()
}

/// A viewer or a push that takes a stream's RTMP messages, in chunks or as an FLV file that does not end: a position in the ring,
/// and a channel to write to.
///
/// `@unchecked Sendable`: made on its channel's event loop and handed to the hub only to be handed back; everything
/// mutable but the atomic membership is touched on that loop alone (`LoopFanout` and the owner's channel handler both live
/// there).
public final class RTMPSubscriber: @unchecked Sendable {
    public enum Role: Sendable, Hashable {
        case viewer
        case push
    }

    /// How messages are written.
    public enum Format: Sendable, Hashable {
        case chunks
        /// Tags of FLV; whoever makes the subscriber writes the file's header.
        case flv
    }

    /// Why the hub let a subscriber go.
    public enum Ending: Sendable, Hashable {
        case streamEnded
        /// It stayed behind for longer than `live.slow_viewer_timeout`.
        case tooSlow
    }

    /// What went out, for reports.
    public struct Statistics: Sendable, Hashable {
        public var bytes: Int64 = 0
        public var droppedFrames = 0
        /// How often it was moved forward to a newer keyframe.
        public var skips = 0

        public init() {}
    }

    /// Whether the hub counts it.
    enum Membership: UInt8, AtomicRepresentable {
        case new
        case counted
        case left
    }

    public let role: Role
    let channel: any Channel
    /// The channel's, looked up once: for thousands of viewers each look costs.
    private let pipeline: ChannelPipeline.SynchronousOperations
    private let output: (any SubscriberOutput)?
    private let format: Format
    let messageStreamID: UInt32
    private let timestampsFromZero: Bool
    /// The timestamp it joined at, when its own begin at zero.
    private var timeBase: UInt32 = 0
    /// Which kinds of sample it takes. Video that is wanted again comes from the next keyframe on.
    public var filter = ChunkedMessages.Filter() {
        didSet { if filter.video, !oldValue.video { cursor.resumeVideo() } }
    }
    /// Called on the event loop, once, when the hub lets it go; not when its owner detaches it.
    public var onEnd: ((Ending) -> Void)?
    /// Called on the event loop when metadata and headers were written and the first media is about to be, and again after
    /// each time it was moved forward.
    public var onStart: (() -> Void)?

    var cursor = ReadCursor()
    private var bytes: Int64 = 0
    /// Its place in `LoopFanout`.
    var slot: Int?
    var fanout: LoopFanout?
    let membership = Atomic<Membership>(.new)

    /// - Parameters:
    ///   - timestampsFromZero: what it gets begins near timestamp 0 instead of at the stream's own time, which may be hours.
    ///   - output: takes the bytes instead of the channel's pipeline.
    public init(
        role: Role, channel: any Channel, messageStreamID: UInt32 = 1, timestampsFromZero: Bool = false,
        format: Format = .chunks, output: (any SubscriberOutput)? = nil
    ) {
        self.role = role
        self.channel = channel
        self.format = format
        self.output = output
        pipeline = channel.pipeline.syncOperations
        self.messageStreamID = messageStreamID
        self.timestampsFromZero = timestampsFromZero
    }

    public var isPaused: Bool { cursor.isPaused }

    public var statistics: Statistics {
        var statistics = Statistics()
        statistics.bytes = bytes
        statistics.droppedFrames = cursor.droppedFrames
        statistics.skips = cursor.skips
        return statistics
    }

    /// The channel can take more: call from `channelWritabilityChanged`.
    public func writabilityChanged() {
        fanout?.pump(self, now: channel.eventLoop.now)
    }

    /// Stops delivery without leaving the stream (`pause`); resuming goes on with the newest GOP.
    public func setPaused(_ paused: Bool) {
        guard paused != isPaused else { return }
        cursor.setPaused(paused)
        if !paused { fanout?.pump(self, now: channel.eventLoop.now) }
    }

    /// It starts, or starts again, at a join point.
    func joined(at point: JoinPoint) {
        if timestampsFromZero, timeBase == 0 {
            timeBase = UInt32(truncatingIfNeeded: point.time.milliseconds)
        }
    }

    var isWritable: Bool { output?.isWritable ?? channel.isWritable }

    func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?, flushes: Bool) {
        if let output {
            output.write(bytes, promise: promise)
            if flushes { output.flush() }
        } else if flushes {
            pipeline.writeAndFlush(NIOAny(bytes), promise: promise)
        } else {
            pipeline.write(NIOAny(bytes), promise: promise)
        }
    }

    func flush() {
        if let output { output.flush() } else { pipeline.flush() }
    }

    func wrote(_ count: Int) {
        bytes &+= Int64(count)
    }

    /// The bytes it takes.
    var form: ChunkedMessages.Form {
        var form = ChunkedMessages.Form(
            format: format, messageStreamID: messageStreamID, filter: filter, timeBase: timeBase)
        if cursor.awaitsKeyframe { form.filter.video = false }
        return form
    }
}

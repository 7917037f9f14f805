import NIOCore

/// A viewer or a push that takes a stream's RTMP bytes: a position in the ring, and a channel to write to.
///
/// `@unchecked Sendable`: made on its channel's event loop and handed to the hub only to be handed back; everything
/// mutable is touched on that loop alone (`LoopFanout` and the owner's channel handler both live there).
public final class RTMPSubscriber: @unchecked Sendable {
    public enum Role: Sendable, Hashable {
        case viewer
        case push
    }

    /// Why the hub let a reader go.
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

    public let role: Role
    let channel: any Channel
    let messageStreamID: UInt32
    /// Which kinds of message it takes.
    public var filter = ChunkedMessages.Filter()
    public internal(set) var isPaused = false
    public internal(set) var statistics = Statistics()
    /// Called on the event loop, once, when the hub lets it go; not when its owner detaches it.
    public var onEnd: ((Ending) -> Void)?
    /// Called on the event loop when the first media was written, and again after each skip.
    public var onStart: (() -> Void)?

    /// The next batch to write; nil while it waits for one to start on.
    var position: Int64?
    /// Since when it has not been at the live edge.
    var behindSince: NIODeadline?
    /// Its place in `LoopFanout.readers`.
    var slot: Int?
    var fanout: LoopFanout?
    var isDetached = false

    public init(role: Role, channel: any Channel, messageStreamID: UInt32) {
        self.role = role
        self.channel = channel
        self.messageStreamID = messageStreamID
    }

    /// The channel can take more: call from `channelWritabilityChanged`.
    public func writabilityChanged() {
        fanout?.pump(self, flush: true)
    }

    /// Stops delivery without leaving the stream (`pause`); resuming starts on the newest keyframe.
    public func setPaused(_ paused: Bool) {
        guard paused != isPaused else { return }
        isPaused = paused
        behindSince = nil
        if !paused {
            position = nil
            fanout?.pump(self, flush: true)
        }
    }
}

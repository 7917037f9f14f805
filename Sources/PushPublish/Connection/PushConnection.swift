import Basics
import Live
import Logging
import NIOCore

/// One try at sending a stream to a destination: from the name lookup until it fails or is closed.
public protocol PushConnection: AnyObject, Sendable {
    /// Begins; everything that comes of it is reported to the context.
    func start()
    /// Ends it, in whatever state it is, and gives what it sent in all.
    ///
    /// Media stops at once. Returns when the destination has been told and the connection is closed, or after a twentieth
    /// of a second: a destination that takes its time is told in the background, within `PushConfiguration.closeTimeout`.
    /// Reports nothing any more.
    func close() async -> PushCounters
    /// What it has sent so far.
    func counters() async -> PushCounters
}

/// What happens to a connection, in order; after `failed` or `sourceEnded` nothing comes. What it sent is counted once:
/// from `failed`, or else from `close`.
public enum PushConnectionEvent: Sendable, Hashable {
    /// The destination accepted the stream; media follows from the next keyframe on.
    case accepted(address: String)
    /// The destination acknowledged the first media.
    case flowing
    case failed(PushFailure, PushCounters)
    /// The hub has nothing more to send; the destination is being told. Close the connection.
    case sourceEnded
}

/// What went out.
public struct PushCounters: Sendable, Hashable {
    /// Media bytes with their framing, before TLS.
    public var bytes: Int64 = 0
    /// Video frames left out because the destination was too slow.
    public var droppedFrames = 0

    public init(bytes: Int64 = 0, droppedFrames: Int = 0) {
        self.bytes = bytes
        self.droppedFrames = droppedFrames
    }

    static func + (one: PushCounters, other: PushCounters) -> PushCounters {
        PushCounters(bytes: one.bytes &+ other.bytes, droppedFrames: one.droppedFrames &+ other.droppedFrames)
    }
}

/// What a connection needs besides its destination.
public struct PushConnectionContext: Sendable {
    /// The stream.
    public var hub: StreamHub
    /// Whose push it is.
    public var accountID: AccountID
    public var configuration: PushConfiguration
    public var policy: AddressPolicy
    public var resolver: any HostResolver
    /// Where the connection lives; its clock is the connection's.
    public var eventLoop: any EventLoop
    public var logger: Logger
    /// Takes what happens, in order; must not block.
    public var report: @Sendable (PushConnectionEvent) -> Void

    public init(
        hub: StreamHub, accountID: AccountID, configuration: PushConfiguration, policy: AddressPolicy,
        resolver: any HostResolver, eventLoop: any EventLoop, logger: Logger,
        report: @escaping @Sendable (PushConnectionEvent) -> Void
    ) {
        self.hub = hub
        self.accountID = accountID
        self.configuration = configuration
        self.policy = policy
        self.resolver = resolver
        self.eventLoop = eventLoop
        self.logger = logger
        self.report = report
    }
}

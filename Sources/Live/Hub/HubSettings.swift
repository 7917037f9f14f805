import NIOCore

/// What a hub is made with (`live.*`, and the stream's own settings).
public struct HubSettings: Sendable, Hashable {
    /// The time that a dropped encoder has to return; zero: none.
    public var reconnectWindow: Duration
    /// Whether an orderly unpublish ends the stream at once.
    public var endsOnUnpublish: Bool
    /// The silence after which another publisher may take over.
    public var takeoverAfter: Duration
    /// The silence of the encoder on air after which the stream's other encoder, which sends, goes on air instead.
    public var backupAfter: Duration
    /// How long the primary must have sent without a break before it is on air again.
    public var primaryAfter: Duration
    /// The most that messages are gathered for many subscribers (`live.latency`).
    public var latency: Duration
    public var ring: WriteRing.Limits
    /// How long a subscriber may stay behind the stream.
    public var slowViewerTimeout: Duration
    /// An encoder that lost its connection finds its own predecessor in its place, which is silent since then: so long it waits.
    package var returnAfter = Duration.seconds(1)

    public init(
        reconnectWindow: Duration = .seconds(30), endsOnUnpublish: Bool = true, takeoverAfter: Duration = .seconds(5),
        backupAfter: Duration = .seconds(3), primaryAfter: Duration = .seconds(10),
        latency: Duration = .milliseconds(100), ring: WriteRing.Limits = WriteRing.Limits(),
        slowViewerTimeout: Duration = .seconds(20)
    ) {
        self.reconnectWindow = reconnectWindow
        self.endsOnUnpublish = endsOnUnpublish
        self.takeoverAfter = takeoverAfter
        self.backupAfter = backupAfter
        self.primaryAfter = primaryAfter
        self.latency = latency
        self.ring = ring
        self.slowViewerTimeout = slowViewerTimeout
    }

    /// The silence of `current` after which `successor` may take its place.
    func takeoverAfter(of current: PublisherInfo, by successor: PublisherInfo) -> Duration {
        successor.isSameEncoder(as: current) ? min(takeoverAfter, returnAfter) : takeoverAfter
    }
}

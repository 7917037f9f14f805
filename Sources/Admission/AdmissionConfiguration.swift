import Foundation
import Usher

/// How viewers are let in on this node. Times in seconds.
public struct AdmissionConfiguration: Sendable {
    /// An HLS session without a request for this long is over.
    public var sessionTimeout: TimeInterval
    /// How long a session counts as running, for tickets that limit how many do, after the store last heard of it: of HLS sessions
    /// it hears a third of the time-out late, of connections in intervals of the time-out, and of both when it has time.
    var runningWindow: TimeInterval { sessionTimeout * 4 / 3 + 5 }
    /// Refusals alike within this time are one row of the log.
    public var foldingWindow: TimeInterval
    /// Sessions this node keeps at once; who comes then gets `AdmissionError.tooManySessions` and is not charged.
    public var maximumSessions: Int
    /// How long an id that was handed out with a master playlist is good for a session to begin under it.
    public var offerTime: TimeInterval
    /// How often the store is asked for tickets that changed, and expiry is looked at: revocation takes at most twice this.
    public var pollInterval: Duration
    /// How often the uses of sessions that are due are written back. Each session is due at most once in a third of
    /// `sessionTimeout`.
    public var touchInterval: Duration
    /// How long a stream's protection is remembered.
    public var protectionCacheTime: TimeInterval
    /// For streams that have no settings of their own and none of their app.
    public var defaultProtection: Protection
    /// `app/stream` with `*` wildcards: these are protected by tickets whatever their settings say.
    public var protectedStreams: [String]

    public init(
        sessionTimeout: TimeInterval = 60, foldingWindow: TimeInterval = 10, maximumSessions: Int = 200_000,
        offerTime: TimeInterval = 60,
        pollInterval: Duration = .milliseconds(400), touchInterval: Duration = .seconds(1),
        protectionCacheTime: TimeInterval = 1, defaultProtection: Protection = .open, protectedStreams: [String] = []
    ) {
        self.sessionTimeout = sessionTimeout
        self.foldingWindow = foldingWindow
        self.maximumSessions = maximumSessions
        self.offerTime = offerTime
        self.pollInterval = pollInterval
        self.touchInterval = touchInterval
        self.protectionCacheTime = protectionCacheTime
        self.defaultProtection = defaultProtection
        self.protectedStreams = protectedStreams
    }
}

import Foundation
import Storage

/// What admission is set up with.
public struct AdmissionConfiguration: Sendable {
    /// Seconds without a request after which an HLS session is over. Default 60.
    public var sessionTimeout: TimeInterval = 60
    /// Seconds a session that was offered (in a master playlist) may be taken up. Default 60.
    public var pendingTimeout: TimeInterval = 60
    /// Sessions offered but not taken up that are remembered; beyond it the oldest are forgotten, and who comes with one of
    /// them later is let in under a fresh id. Default 20,000.
    public var maximumPending = 20_000
    /// Sessions running at once on this node; beyond it viewers are turned away as if the server failed. Default 100,000.
    public var maximumSessions = 100_000
    /// Seconds in which refusals alike are folded into one attempt row. Default 10.
    public var foldingWindow: TimeInterval = 10
    /// Between looks at what other nodes and tools changed, and at expiry times. Default 500 ms.
    public var pollInterval = Duration.milliseconds(500)
    /// Seconds for which a stream's protection is remembered. Default 1.
    public var protectionLifetime: TimeInterval = 1
    /// Between writes of which sessions are still in use. Default 5 s.
    public var touchInterval: TimeInterval = 5
    /// Of streams without settings of their own. Default none.
    public var defaultProtection = Protection.none
    /// Whether a stream asks for tickets whatever its settings say (`usher.protected`).
    public var isAlwaysProtected: @Sendable (_ app: String, _ stream: String) -> Bool = { _, _ in false }

    public init() {}
}

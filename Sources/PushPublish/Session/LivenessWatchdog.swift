import NIOCore

/// Tells a destination that takes nothing any more from a source that has nothing to send.
///
/// Fed about once a second with what the kernel knows: a wedged destination keeps its connection open and acknowledges
/// nothing, so that only progress tells.
public struct LivenessWatchdog: Sendable, Hashable {
    public enum Verdict: Sendable, Hashable {
        case alive
        /// Nothing was acknowledged for the whole time-out although something waited to be.
        case wedged
    }

    private let timeout: TimeAmount
    private var acknowledged: Int64
    private var lastProgress: NIODeadline

    /// - Parameters:
    ///   - timeout: `push.send_timeout`.
    ///   - acknowledged: bytes acknowledged so far.
    public init(timeout: TimeAmount, acknowledged: Int64 = 0, now: NIODeadline) {
        self.timeout = timeout
        self.acknowledged = acknowledged
        self.lastProgress = now
    }

    /// - Parameters:
    ///   - acknowledged: bytes the destination has acknowledged since the connection began; never goes back.
    ///   - outstanding: bytes handed over and not acknowledged, those that wait in this process included.
    public mutating func check(acknowledged: Int64, outstanding: Int64, now: NIODeadline) -> Verdict {
        // With nothing outstanding there is nothing to wait for: a silent or recovering source is no failure.
        if acknowledged > self.acknowledged || outstanding <= 0 {
            self.acknowledged = max(acknowledged, self.acknowledged)
            lastProgress = now
            return .alive
        }
        return now - lastProgress >= timeout ? .wedged : .alive
    }
}

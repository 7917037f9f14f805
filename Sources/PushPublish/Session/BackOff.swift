import NIOCore

/// How long to wait before the next connection.
///
/// Doubling with jitter, so that a destination that comes back is not met by everybody at once.
public struct BackOff: Sendable, Hashable {
    public struct Limits: Sendable, Hashable {
        /// The first pause; it doubles with every failure.
        public var initial: TimeAmount
        /// The longest pause, before jitter.
        public var maximum: TimeAmount
        /// The pause after a permanent failure.
        public var permanent: TimeAmount
        /// A connection that stood this long starts the doubling anew.
        public var healthyAfter: TimeAmount

        public init(
            initial: TimeAmount = .seconds(1), maximum: TimeAmount = .seconds(30),
            permanent: TimeAmount = .seconds(300),
            healthyAfter: TimeAmount = .seconds(30)
        ) {
            self.initial = initial
            self.maximum = maximum
            self.permanent = permanent
            self.healthyAfter = healthyAfter
        }
    }

    public let limits: Limits
    /// Failures since the last healthy connection.
    public private(set) var failures = 0

    public init(limits: Limits) {
        self.limits = limits
    }

    /// The pause after one more failure.
    /// - Parameters:
    ///   - connectedFor: how long the connection that failed had been `Connected`; nil: it never was.
    ///   - jitter: evenly drawn from 0..<1; gives −20 % to +20 %. A permanent failure's pause has none.
    public mutating func pause(after failure: FailureClass, connectedFor: TimeAmount?, jitter: Double) -> TimeAmount {
        if let connectedFor, connectedFor >= limits.healthyAfter {
            failures = 0
        }
        // 2^30 times the shortest initial pause is beyond any maximum.
        let doublings = min(failures, 30)
        failures = min(failures, 1_000_000) + 1
        switch failure {
        case .permanent:
            return limits.permanent
        case .transient:
            let (doubled, overflow) = limits.initial.nanoseconds.multipliedReportingOverflow(by: 1 << Int64(doublings))
            let pause = overflow ? limits.maximum.nanoseconds : min(doubled, limits.maximum.nanoseconds)
            let factor = 0.8 + 0.4 * min(max(jitter, 0), 1)
            return .nanoseconds(Int64(Double(pause) * factor))
        }
    }

    /// Starts anew: somebody changed something.
    public mutating func reset() {
        failures = 0
    }
}

import Basics
import NIOCore
import Synchronization
import Usher

/// Limits failed logins per address: past `perMinute` failures an address waits until the minute is over.
///
/// An IPv4 address is counted alone, an IPv6 address with its /64, which is one customer's. Bounded: at most `capacity`
/// addresses are remembered; when it is full, those whose minute is over go first, then all.
public final class FailureLimit: Sendable {
    private struct Window: Sendable {
        var started: NIODeadline
        var failures: Int
    }

    private let perMinute: Int
    private let capacity: Int
    private let clock: @Sendable () -> NIODeadline
    private let windows = Mutex<[String: Window]>([:])

    /// - Parameter perMinute: 0: no limit.
    public init(perMinute: Int, capacity: Int = 10_000, clock: @escaping @Sendable () -> NIODeadline = { .now() }) {
        self.perMinute = perMinute
        self.capacity = capacity
        self.clock = clock
    }

    public func allows(_ address: String) -> Bool {
        wait(address) == nil
    }

    /// Seconds until the address may try again, 1 to 60; nil: now.
    public func wait(_ address: String) -> Int? {
        guard perMinute > 0 else { return nil }
        let now = clock()
        let customer = FailureLimit.customer(address)
        return windows.withLock { windows in
            guard let window = windows[customer], window.failures >= perMinute else { return nil }
            let left = (window.started + .minutes(1) - now).nanoseconds
            return left > 0 ? Int((left - 1) / 1_000_000_000 + 1) : nil
        }
    }

    /// A login from the address failed.
    public func note(_ address: String) {
        guard perMinute > 0 else { return }
        let now = clock()
        let customer = FailureLimit.customer(address)
        windows.withLock { windows in
            if let window = windows[customer], now - window.started < .minutes(1) {
                // At most a minute's requests: far from overflow.
                windows[customer]?.failures = window.failures &+ 1
                return
            }
            if windows.count >= capacity {
                windows = windows.filter { now - $0.value.started < .minutes(1) }
                if windows.count >= capacity { windows.removeAll(keepingCapacity: true) }
            }
            windows[customer] = Window(started: now, failures: 1)
        }
    }

    private static func customer(_ address: String) -> String {
        guard let parsed = IPAddress(address) else { return String(address.prefix(64)) }
        return IPNetwork.ofCustomer(parsed).description
    }
}

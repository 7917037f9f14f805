import NIOCore
import Synchronization

/// Limits failed logins per address: past `perMinute` failures an address waits until the minute is over.
///
/// Bounded: at most `capacity` addresses are remembered; when it is full, the oldest minute's are forgotten.
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
        guard perMinute > 0 else { return true }
        let now = clock()
        return windows.withLock { windows in
            guard let window = windows[address], now - window.started < .minutes(1) else { return true }
            return window.failures < perMinute
        }
    }

    public func note(_ address: String) {
        guard perMinute > 0 else { return }
        let now = clock()
        windows.withLock { windows in
            if let window = windows[address], now - window.started < .minutes(1) {
                windows[address]?.failures += 1
                return
            }
            if windows.count >= capacity {
                windows = windows.filter { now - $0.value.started < .minutes(1) }
                if windows.count >= capacity { windows.removeAll(keepingCapacity: true) }
            }
            windows[address] = Window(started: now, failures: 1)
        }
    }
}

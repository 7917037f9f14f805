import Synchronization

/// Something that is waited for and comes when the test says so: the end of some work, or of a time.
public final class Alarm: Sendable {
    private let state = Mutex<(hasRung: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    public init() {}

    /// How many wait.
    public var count: Int { state.withLock { $0.waiters.count } }

    /// Returns when it has rung, whatever becomes of the task.
    public func wait() async {
        await withCheckedContinuation { continuation in
            let hasRung = state.withLock { state in
                if !state.hasRung { state.waiters.append(continuation) }
                return state.hasRung
            }
            if hasRung { continuation.resume() }
        }
    }

    /// For all who wait, and who will.
    public func ring() {
        let waiters = state.withLock { state in
            defer { state = (true, []) }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

import Foundation
import Synchronization

/// Refused viewers that nobody waits for: folded in memory, and written by a task of this log about twice a second.
final class RefusalLog: Sendable {
    private struct State {
        var folds = RefusalFolds()
        var isRunning = false
        var isWriting = false
        var waiters: [CheckedContinuation<Void, Never>] = []

        mutating func beginWriting() -> Bool {
            defer { isWriting = true }
            return !isWriting
        }

        mutating func endWriting() -> [CheckedContinuation<Void, Never>] {
            defer { (isWriting, waiters) = (false, []) }
            return waiters
        }
    }

    /// Writes rows and gives their ids.
    typealias Writing = @Sendable ([RefusalFolds.Row]) async throws -> [Int64]

    private let state = Mutex(State())
    private let write: Writing
    private let interval: Duration
    /// Rows of one writing.
    private static let step = 256

    init(interval: Duration = .milliseconds(500), write: @escaping Writing) {
        self.interval = interval
        self.write = write
    }

    /// Returns at once.
    func add(_ attempt: Attempt, window: TimeInterval) {
        let mustStart = state.withLock { state in
            state.folds.add(attempt, window: window)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { Task { await run() } }
    }

    /// Until there is nothing left to write, and nothing to fold into.
    private func run() async {
        while true {
            try? await Task.sleep(for: interval)
            // What cannot be written now waits for the next round. Admissions say it when the store does not answer.
            try? await flush()
            let isDone = state.withLock { state in
                state.folds.age()
                if state.folds.isIdle { state.isRunning = false }
                return state.folds.isIdle
            }
            if isDone { return }
        }
    }

    /// Returns when everything that was refused so far is on disk.
    func flush() async throws {
        // One writes at a time, so that a row is known when the next refusals are added to it.
        while !state.withLock({ $0.beginWriting() }) {
            await withCheckedContinuation { continuation in
                let isFree = state.withLock { state in
                    if state.isWriting { state.waiters.append(continuation) }
                    return !state.isWriting
                }
                if isFree { continuation.resume() }
            }
        }
        defer {
            for waiter in state.withLock({ $0.endWriting() }) { waiter.resume() }
        }
        // All of it at once: what is refused while this is written is for the next time, or a flood would have no end of it.
        var rows = state.withLock { $0.folds.take() }[...]
        while !rows.isEmpty {
            let step = Array(rows.prefix(Self.step))
            do {
                let ids = try await write(step)
                state.withLock { $0.folds.wrote(step, ids: ids) }
            } catch {
                state.withLock { $0.folds.failed(Array(rows)) }
                throw error
            }
            rows = rows.dropFirst(step.count)
        }
    }
}

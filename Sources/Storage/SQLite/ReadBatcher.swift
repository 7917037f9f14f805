import GRDB
import Synchronization

/// Lets short questions that arrive together share one reading of the database: viewers at the door ask for one row each, and to
/// wake a thread for each of them would cost more than the rows.
///
/// What a question reads was committed before it was asked or later. Questions wait for each other, so none may be long.
final class ReadBatcher: Sendable {
    private struct Job: Sendable {
        let perform: @Sendable (Database) -> Void
        let fail: @Sendable (StoreError) -> Void
    }

    private struct State {
        var waiting: [Job] = []
        var isDraining = false
    }

    /// Questions that may wait.
    static let maximumWaiting = 16_384

    private let queue: DatabaseQueue
    private let state = Mutex(State())

    init(path: String, _ configuration: Configuration) throws {
        queue = try DatabaseQueue(path: path, configuration: configuration)
    }

    func close() throws {
        try queue.close()
    }

    /// Questions that no reading has taken up yet.
    var waitingCount: Int {
        state.withLock { $0.waiting.count }
    }

    func run<Result: Sendable>(_ work: @escaping @Sendable (Database) throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let job = Job(
                perform: { database in
                    do {
                        continuation.resume(returning: try work(database))
                    } catch {
                        continuation.resume(throwing: StoreError(error))
                    }
                },
                fail: { continuation.resume(throwing: $0) })
            let (isTaken, mustStart) = state.withLock { state in
                guard state.waiting.count < Self.maximumWaiting else { return (false, false) }
                state.waiting.append(job)
                defer { state.isDraining = true }
                return (true, !state.isDraining)
            }
            if !isTaken { continuation.resume(throwing: StoreError.overloaded) }
            if mustStart { schedule() }
        }
    }

    private func schedule() {
        queue.asyncWriteWithoutTransaction { database in
            var isMore = true
            while isMore {
                let jobs = self.state.withLock { state in
                    defer { state.waiting = [] }
                    return state.waiting
                }
                self.answer(jobs, in: database)
                isMore = self.state.withLock { state in
                    state.isDraining = !state.waiting.isEmpty
                    return state.isDraining
                }
            }
        }
    }

    /// In a transaction of their own: one that began earlier would not see what was committed before they were asked.
    private func answer(_ jobs: [Job], in database: Database) {
        do {
            try database.beginTransaction(.deferred)
        } catch {
            for job in jobs { job.fail(StoreError(error)) }
            return
        }
        for job in jobs { job.perform(database) }
        do {
            try database.commit()
        } catch {
            // Nothing was written.
            try? database.rollback()
        }
    }
}

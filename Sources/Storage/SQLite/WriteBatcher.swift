import GRDB
import Synchronization

/// Lets writes that arrive together share one transaction, so that many viewers who wait for the disk wait for it once.
///
/// While one transaction commits the next writes queue up, and all of them go into the next one: a lone write waits for
/// nobody. A failed one takes nothing of the others with it, and its caller resumes only after the commit.
///
/// Writes wait in lanes, and each transaction takes some of every lane, the first lanes first: so what a crowd causes in one of
/// them never fills another, and no write waits longer than the transactions before it take, which have a bound.
final class WriteBatcher: Sendable {
    /// What a write is for.
    enum Lane: Int, CaseIterable, Sendable {
        /// Changes of tickets that end what runs.
        case revocations
        /// Viewers who wait at the door.
        case admissions
        /// All other commands and records.
        case commands
        /// Folded refusals, which nobody waits for.
        case refusals
        case housekeeping

        /// Writes of one transaction, so that the first of them is not kept waiting for long.
        var share: Int {
            switch self {
            case .revocations: 256
            case .admissions: 512
            case .commands: 256
            case .refusals: 2
            case .housekeeping: 1
            }
        }

        /// Writes that may wait. A million viewers who knock at once are told to come again rather than remembered.
        var maximumWaiting: Int {
            switch self {
            case .revocations: 4_096
            case .admissions: 16_384
            case .commands: 8_192
            case .refusals, .housekeeping: 256
            }
        }
    }

    /// What has been written so far.
    struct Statistics: Sendable, Equatable {
        var transactions = 0
        var writes = 0
    }

    /// Tells the caller how its write ended; a failure is that of the whole transaction and overrides its own result.
    private typealias Completion = @Sendable (StoreError?) -> Void

    private struct Job: Sendable {
        /// Called inside the transaction; again, when that had to be given up because one of its writes failed.
        let perform: @Sendable (Database) throws -> Completion
        /// Called instead, when there is no transaction to run in.
        let fail: @Sendable (StoreError) -> Void
    }

    private struct State {
        var lanes = [[Job]](repeating: [], count: Lane.allCases.count)
        var isDraining = false
        var isClosed = false
        var statistics = Statistics()

        var waitingCount: Int { lanes.reduce(0) { $0 + $1.count } }

        /// The writes of the next transaction.
        mutating func take() -> [Job] {
            var jobs: [Job] = []
            for lane in Lane.allCases {
                let share = min(lane.share, lanes[lane.rawValue].count)
                jobs += lanes[lane.rawValue].prefix(share)
                lanes[lane.rawValue].removeFirst(share)
            }
            return jobs
        }
    }

    private let pool: DatabasePool
    private let state = Mutex(State())

    init(pool: DatabasePool) {
        self.pool = pool
    }

    var statistics: Statistics {
        state.withLock { $0.statistics }
    }

    /// Writes that no transaction has taken up yet.
    var waitingCount: Int {
        state.withLock { $0.waitingCount }
    }

    var isClosed: Bool {
        state.withLock { $0.isClosed }
    }

    /// Whether writes wait or are under way.
    var isBusy: Bool {
        state.withLock { $0.isDraining }
    }

    /// Runs `work` in a transaction and gives its result once that is on disk.
    ///
    /// - Parameter work: changes nothing but the database, for it may be run twice.
    func run<Result: Sendable>(_ lane: Lane, _ work: @escaping @Sendable (Database) throws -> Result) async throws
        -> Result
    {
        try await withCheckedThrowingContinuation { continuation in
            let job = Job(
                perform: { database in
                    let result = try work(database)
                    return { failure in
                        if let failure {
                            continuation.resume(throwing: failure)
                        } else {
                            continuation.resume(returning: result)
                        }
                    }
                },
                fail: { continuation.resume(throwing: $0) })
            if let refusal = submit(job, lane) {
                continuation.resume(throwing: refusal)
            }
        }
    }

    /// Takes no more writes; those that wait are still done.
    func close() {
        state.withLock { $0.isClosed = true }
    }

    private func submit(_ job: Job, _ lane: Lane) -> StoreError? {
        let (refusal, mustStart) = state.withLock { state -> (StoreError?, Bool) in
            if state.isClosed { return (.closed, false) }
            if state.lanes[lane.rawValue].count >= lane.maximumWaiting { return (.overloaded, false) }
            state.lanes[lane.rawValue].append(job)
            defer { state.isDraining = true }
            return (nil, !state.isDraining)
        }
        if mustStart { schedule() }
        return refusal
    }

    private func schedule() {
        pool.asyncWriteWithoutTransaction { database in
            let jobs = self.state.withLock { $0.take() }
            self.commit(jobs, in: database)
            let isMore = self.state.withLock { state in
                state.isDraining = state.waitingCount > 0
                return state.isDraining
            }
            if isMore { self.schedule() }
        }
    }

    private func commit(_ jobs: [Job], in database: Database) {
        var completions: [Completion] = []
        completions.reserveCapacity(jobs.count)
        var failure: StoreError?
        do {
            // The write lock is taken at once: what the transaction reads stays true until it commits.
            try database.beginTransaction(.immediate)
            do {
                for job in jobs { completions.append(try job.perform(database)) }
            } catch {
                // Savepoints cost more than most writes, and hardly one fails: only now all are run again in one each.
                completions = []
                try? database.rollback()
                try database.beginTransaction(.immediate)
                failure = performApart(jobs, in: database, &completions)
            }
            if failure == nil { try database.commit() }
        } catch {
            failure = StoreError(error)
            try? database.rollback()
        }
        state.withLock {
            $0.statistics.transactions &+= 1
            $0.statistics.writes &+= completions.count
        }
        for completion in completions { completion(failure) }
        for job in jobs[completions.count...] { job.fail(failure ?? .closed) }
    }

    /// Runs each write in a savepoint of its own.
    /// - Returns: why the transaction is no more.
    private func performApart(
        _ jobs: [Job], in database: Database, _ completions: inout [Completion]
    ) -> StoreError? {
        for job in jobs {
            do {
                var completion: Completion?
                try database.inSavepoint {
                    completion = try job.perform(database)
                    return .commit
                }
                completion.map { completions.append($0) }
            } catch {
                let failure = StoreError(error)
                completions.append { job.fail($0 ?? failure) }
            }
            // SQLite ends the transaction by itself when the disk is full or broken. Later writes must not run without one.
            guard database.isInsideTransaction else { return .unavailable("the database ended the transaction") }
        }
        return nil
    }
}

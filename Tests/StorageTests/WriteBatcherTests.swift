import Foundation
import Synchronization
import Testing

@testable import Storage

@Suite("Writes that share a transaction")
struct WriteBatcherTests {
    /// Holds the database's writer until opened. The writer's queue has a thread of its own, so waiting there starves
    /// nobody.
    private final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        func wait() { semaphore.wait() }
        func open() { semaphore.signal() }
    }

    /// Runs `body` while the store cannot write, then lets it, and gives the transactions that this took.
    private func whileHeld(
        _ store: SQLiteStore, waiting: Int, _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> Int {
        let gate = Gate()
        let before = store.writeCounts.transactions
        async let held: Void = store.write { _ in gate.wait() }
        while !store.batcher.isBusy || store.batcher.waitingCount > 0 { await Task.yield() }
        async let done: Void = body()
        while store.batcher.waitingCount < waiting { await Task.yield() }
        gate.open()
        try await held
        try await done
        return store.writeCounts.transactions - before - 1
    }

    private func withStore(_ body: (SQLiteStore) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.open(folder: folder)
            try await body(store)
            try await store.close()
        }
    }

    @Test("A thousand writes that wait together take one transaction")
    func shared() async throws {
        try await withStore { store in
            let transactions = try await whileHeld(store, waiting: 1_000) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<1_000 {
                        group.addTask {
                            try await store.recordRefusal(.refusal(.sample(key: "k\(index)")), foldingWindow: 10)
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(transactions == 1)
            #expect(store.writeCounts.writes == 1_001)
            #expect(try await store.countAttempts(cdn: 1, filter: AttemptFilter()) == 1_000)
        }
    }

    @Test("A failed write takes nothing of the others in its transaction with it")
    func oneFails() async throws {
        try await withStore { store in
            let failures = Mutex<[StoreError]>([])
            let transactions = try await whileHeld(store, waiting: 20) {
                await withTaskGroup(of: Void.self) { group in
                    for index in 0..<20 {
                        group.addTask {
                            do {
                                // Each writes a row of its own before the one that all share.
                                try await store.write { database in
                                    let insert = "INSERT INTO sequences (name, next) VALUES (?, 0)"
                                    try database.run(insert, ["own \(index)"])
                                    try database.run(insert, ["shared"])
                                }
                            } catch let error as StoreError {
                                failures.withLock { $0.append(error) }
                            } catch {
                                Issue.record(error)
                            }
                        }
                    }
                }
            }
            #expect(transactions == 1)
            let constraint = StoreError.failed("SQLite 1555, UNIQUE constraint failed: sequences.name")
            #expect(failures.withLock { $0 } == Array(repeating: constraint, count: 19))
            let rows = try await store.read { try $0.first("SELECT count(*) AS n FROM sequences")?.int("n") }
            #expect(rows == 2)
        }
    }

    @Test("Writes past the bound are refused, and those within it are done")
    func bounded() async throws {
        try await withStore { store in
            let refused = Mutex(0)
            let bound = WriteBatcher.maximumWaiting
            let transactions = try await whileHeld(store, waiting: bound) {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<(bound + 5) {
                        group.addTask {
                            do {
                                try await store.write { _ in }
                            } catch {
                                #expect(error as? StoreError == .overloaded)
                                refused.withLock { $0 += 1 }
                            }
                        }
                    }
                }
            }
            #expect(refused.withLock { $0 } <= 5)
            #expect(transactions >= bound / WriteBatcher.maximumBatch)
            #expect(store.writeCounts.writes == bound + 6 - refused.withLock { $0 })
        }
    }

    @Test("Closing does what waits first, and takes nothing more")
    func closing() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.open(folder: folder)
            let gate = Gate()
            async let held: Void = store.write { _ in gate.wait() }
            while !store.batcher.isBusy || store.batcher.waitingCount > 0 { await Task.yield() }
            async let waiting: Void = store.insertAccount(.demo)
            while store.batcher.waitingCount < 1 { await Task.yield() }
            async let closed: Void = store.close()
            while true {
                do {
                    try await store.batcher.submitNothing()
                    await Task.yield()
                } catch {
                    #expect(error as? StoreError == .closed)
                    break
                }
            }
            gate.open()
            try await held
            try await waiting
            try await closed
            let again = try await SQLiteStore.open(folder: folder)
            #expect(try await again.accounts() == [.demo])
            try await again.close()
        }
    }
}

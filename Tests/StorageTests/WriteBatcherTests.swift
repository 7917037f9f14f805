import Foundation
import StoreSupport
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
        _ store: SQLiteStore, waiting: Int, _ body: @escaping @Sendable () async throws -> Void,
        before opening: () async throws -> Void = {}
    ) async throws -> Int {
        let gate = Gate()
        let before = store.writeCounts.transactions
        async let held: Void = store.write { _ in gate.wait() }
        while !store.batcher.isBusy || store.batcher.waitingCount > 0 { await Task.yield() }
        async let done: Void = body()
        while store.batcher.waitingCount < waiting { await Task.yield() }
        try await opening()
        gate.open()
        try await held
        try await done
        return store.writeCounts.transactions - before - 1
    }

    private func withStore(_ body: (SQLiteStore) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await body(store)
            try await store.close()
        }
    }

    @Test("Writes of a lane that wait together take one transaction, as many as its share is")
    func shared() async throws {
        try await withStore { store in
            let share = WriteBatcher.Lane.admissions.share
            for (count, expected) in [(share, 1), (share + 1, 2)] {
                let transactions = try await whileHeld(store, waiting: count) {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<count { group.addTask { try await store.write(.admissions) { _ in } } }
                        try await group.waitForAll()
                    }
                }
                #expect(transactions == expected)
            }
            #expect(store.writeCounts.writes == 2 * share + 3)
        }
    }

    private final class Order: Sendable {
        private let list = Mutex<[WriteBatcher.Lane]>([])
        var lanes: [WriteBatcher.Lane] { list.withLock { $0 } }
        func add(_ lane: WriteBatcher.Lane) { list.withLock { $0.append(lane) } }
    }

    @Test("A write of an earlier lane overtakes those that wait in a later one, and each transaction takes some of all")
    func overtaking() async throws {
        try await withStore { store in
            let order = Order()
            let waiting: [(WriteBatcher.Lane, Int)] = [
                (.housekeeping, 3), (.refusals, 5), (.commands, 1), (.admissions, 1), (.revocations, 1),
            ]
            let transactions = try await whileHeld(store, waiting: 11) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (lane, count) in waiting {
                        for _ in 0..<count {
                            group.addTask { try await store.write(lane) { _ in order.add(lane) } }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(transactions == 3)
            #expect(
                order.lanes == [
                    .revocations, .admissions, .commands, .refusals, .refusals, .housekeeping, .refusals, .refusals,
                    .housekeeping, .refusals, .housekeeping,
                ])
        }
    }

    /// A row of its own, then the one that only the first to come can write.
    private func writeOwnAndShared(_ store: SQLiteStore, _ index: Int) async throws {
        try await store.write { database in
            let insert = "INSERT INTO sequences (name, next) VALUES (?, 0)"
            try database.run(insert, ["own \(index)"])
            try database.run(insert, ["shared"])
        }
    }

    private final class Failures: Sendable {
        private let errors = Mutex<[StoreError?]>([])
        var all: [StoreError?] { errors.withLock { $0 } }

        func collect(_ body: () async throws -> Void) async {
            do {
                try await body()
            } catch {
                errors.withLock { $0.append(error as? StoreError) }
            }
        }
    }

    @Test("A failed write takes nothing of the others in its transaction with it")
    func oneFails() async throws {
        try await withStore { store in
            let failures = Failures()
            let transactions = try await whileHeld(store, waiting: 20) {
                await withTaskGroup(of: Void.self) { group in
                    for index in 0..<20 {
                        group.addTask { await failures.collect { try await writeOwnAndShared(store, index) } }
                    }
                }
            }
            #expect(transactions == 1)
            let constraint = StoreError.failed("SQLite 1555, UNIQUE constraint failed: sequences.name")
            #expect(failures.all == Array(repeating: constraint, count: 19))
            let rows = try await store.read { try $0.first("SELECT count(*) AS n FROM sequences")?.int("n") }
            #expect(rows == 2)
        }
    }

    @Test(
        "A write past the bound of its lane is refused at once, those within it are done, and other lanes know nothing of it"
    )
    func bounded() async throws {
        try await withStore { store in
            let bound = WriteBatcher.Lane.commands.maximumWaiting
            let transactions = try await whileHeld(store, waiting: bound + 1) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<bound { group.addTask { try await store.write { _ in } } }
                    group.addTask { try await store.write(.admissions) { _ in } }
                    try await group.waitForAll()
                }
            } before: {
                await #expect(throws: StoreError.overloaded) { try await store.insertAccount(.demo) }
            }
            #expect(transactions == bound / WriteBatcher.Lane.commands.share)
            #expect(store.writeCounts.writes == bound + 2)
            try await store.insertAccount(.demo)
        }
    }

    @Test("Closing does what waits first, and takes nothing more")
    func closing() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            let gate = Gate()
            async let held: Void = store.write { _ in gate.wait() }
            while !store.batcher.isBusy || store.batcher.waitingCount > 0 { await Task.yield() }
            async let waiting: Void = store.insertAccount(.demo)
            while store.batcher.waitingCount < 1 { await Task.yield() }
            async let closed: Void = store.close()
            while !store.batcher.isClosed { await Task.yield() }
            await #expect(throws: StoreError.closed) { try await store.insertAccount(.other) }
            gate.open()
            try await held
            try await waiting
            try await closed
            let again = try await SQLiteStore.openForTest(folder: folder)
            #expect(try await again.accounts() == [.demo])
            try await again.close()
        }
    }
}

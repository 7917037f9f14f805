import Foundation
import GRDB
import Synchronization
import Testing

@testable import Storage

@Suite("Questions that share a reading")
struct ReadBatcherTests {
    private func run(_ body: (ReadBatcher, DatabaseQueue) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let writer = try DatabaseQueue(path: "\(folder)/a.sqlite")
            try await writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = WAL") }
            try await writer.write { try $0.execute(sql: "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (0)") }
            var configuration = Configuration()
            configuration.readonly = true
            let reader = try ReadBatcher(path: "\(folder)/a.sqlite", configuration)
            try await body(reader, writer)
            try reader.close()
            try writer.close()
        }
    }

    @Test("A question sees what was committed before it was asked, however many others there are")
    func fresh() async throws {
        try await run { reader, writer in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        for _ in 0..<50 { _ = try await reader.run { try $0.first("SELECT n FROM t")?.int("n") } }
                    }
                }
                for number in 1...100 {
                    try await writer.write { try $0.execute(sql: "UPDATE t SET n = ?", arguments: [number]) }
                    let seen = try await reader.run { try $0.first("SELECT n FROM t")?.int("n") }
                    #expect(seen == number)
                }
                try await group.waitForAll()
            }
        }
    }

    /// Holds the reader while somebody is inside.
    private final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        private let state = Mutex(false)
        var isReached: Bool { state.withLock { $0 } }
        func wait() {
            state.withLock { $0 = true }
            semaphore.wait()
        }
        func open() { semaphore.signal() }
    }

    @Test("A question that fails takes no other of its reading with it")
    func failing() async throws {
        try await run { reader, _ in
            let gate = Gate()
            let held = Task { try await reader.run { _ in gate.wait() } }
            while !gate.isReached { await Task.yield() }
            // These three share the next reading.
            let before = Task { try await reader.run { try $0.first("SELECT n FROM t")?.int("n") } }
            while reader.waitingCount < 1 { await Task.yield() }
            let bad = Task { try await reader.run { try $0.first("SELECT n FROM nowhere")?.int("n") } }
            while reader.waitingCount < 2 { await Task.yield() }
            let after = Task { try await reader.run { try $0.first("SELECT n FROM t")?.int("n") } }
            while reader.waitingCount < 3 { await Task.yield() }
            gate.open()
            try await held.value
            await #expect(throws: StoreError.failed("SQLite 1, no such table: nowhere")) { try await bad.value }
            #expect(try await before.value == 0)
            #expect(try await after.value == 0)
        }
    }

    private final class Count: Sendable {
        private let state = Mutex(0)
        var value: Int { state.withLock { $0 } }
        func add() { state.withLock { $0 += 1 } }
    }

    @Test("More questions than may wait are told to come again")
    func bounded() async throws {
        try await run { reader, _ in
            let gate = Gate()
            let refused = Count()
            let most = ReadBatcher.maximumWaiting
            let answered = try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    try await reader.run { _ in
                        gate.wait()
                        return 0
                    }
                }
                while !gate.isReached { await Task.yield() }
                for _ in 0..<(most + 10) {
                    group.addTask {
                        do {
                            return try await reader.run { _ in 1 }
                        } catch StoreError.overloaded {
                            refused.add()
                            return 0
                        }
                    }
                }
                while reader.waitingCount + refused.value < most + 10 { await Task.yield() }
                #expect(refused.value == 10)
                gate.open()
                return try await group.reduce(0, +)
            }
            #expect(answered == most)
        }
    }
}

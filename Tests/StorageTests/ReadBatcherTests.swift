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

    @Test("A question that fails takes no other with it")
    func failing() async throws {
        try await run { reader, _ in
            async let asked = reader.run { try $0.first("SELECT n FROM t")?.int("n") }
            await #expect(throws: StoreError.failed("SQLite 1, no such table: nowhere")) {
                try await reader.run { try $0.first("SELECT n FROM nowhere")?.int("n") }
            }
            let good = try await asked
            #expect(good == 0)
        }
    }

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

    @Test("More questions than may wait are told to come again")
    func bounded() async throws {
        try await run { reader, _ in
            let gate = Gate()
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await reader.run { _ in
                        gate.wait()
                        return true
                    }
                }
                while !gate.isReached { await Task.yield() }
                for _ in 0..<(ReadBatcher.maximumWaiting + 10) {
                    group.addTask {
                        do {
                            return try await reader.run { _ in true }
                        } catch StoreError.overloaded {
                            return false
                        }
                    }
                }
                var refused = 0
                while refused < 10, let answer = try await group.next() { refused += answer ? 0 : 1 }
                gate.open()
                while let answer = try await group.next() { #expect(answer) }
            }
        }
    }
}

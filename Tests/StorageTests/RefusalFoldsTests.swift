import Foundation
import Synchronization
import Testing
import Usher

@testable import Storage

@Suite("Folding of refusals")
struct RefusalFoldsTests {
    private static func refusal(
        key: String = "k", address: String = "192.0.2.1", video: String = "show",
        reason: RefusalReason = .unknownTicket,
        second: Double = 0
    ) -> Attempt {
        .refusal(.sample(key: key, address: address, video: video), date: at(second), reason: reason)
    }

    /// What is to be written, as text.
    private static func taken(_ folds: inout RefusalFolds) -> [String] {
        folds.take().map { row in
            let attempt = row.attempt
            return "\(attempt.id) \(attempt.key) \(attempt.address) \(attempt.video) ×\(attempt.repeats)"
        }
    }

    @Test("Unknown keys are alike whatever they are, and the row keeps the first")
    func unknownKeys() {
        var folds = RefusalFolds()
        for key in ["one", "two", "three"] { folds.add(Self.refusal(key: key), window: 10) }
        for key in ["one", "two"] { folds.add(Self.refusal(key: key, reason: .expired), window: 10) }
        #expect(
            Self.taken(&folds) == [
                "0 one 192.0.2.1 show ×3", "0 one 192.0.2.1 show ×1", "0 two 192.0.2.1 show ×1",
            ])
        #expect(folds.isEmpty)
    }

    @Test("What was written is added to under its id, within ten seconds of its beginning")
    func addedTo() {
        var folds = RefusalFolds()
        folds.add(Self.refusal(), window: 10)
        let rows = folds.take()
        folds.add(Self.refusal(second: 1), window: 10)
        folds.wrote(rows, ids: [41])
        folds.add(Self.refusal(second: 9.9), window: 10)
        #expect(Self.taken(&folds) == ["41 k 192.0.2.1 show ×2"])
        folds.add(Self.refusal(second: 10), window: 10)
        #expect(Self.taken(&folds) == ["0 k 192.0.2.1 show ×1"])
    }

    @Test("A row that waits when its time is over is written all the same")
    func both() {
        var folds = RefusalFolds()
        folds.add(Self.refusal(), window: 10)
        folds.add(Self.refusal(second: 5), window: 10)
        folds.add(Self.refusal(second: 30), window: 10)
        #expect(Self.taken(&folds) == ["0 k 192.0.2.1 show ×2", "0 k 192.0.2.1 show ×1"])
    }

    @Test("Rows that could not be written wait again, with what came meanwhile")
    func failed() {
        var folds = RefusalFolds()
        for _ in 0..<3 { folds.add(Self.refusal(), window: 10) }
        let rows = folds.take()
        folds.add(Self.refusal(second: 1), window: 10)
        folds.failed(rows)
        #expect(Self.taken(&folds) == ["0 k 192.0.2.1 show ×4"])
    }

    @Test(
        "Beyond a number of rows a network's refusals are one row a stream and reason, with the network for an address")
    func network() {
        var folds = RefusalFolds()
        let most = RefusalFolds.maximumRowsOfNetwork
        for index in 0..<(most + 50) {
            folds.add(Self.refusal(key: "k\(index)", reason: .wrongPass), window: 10)
        }
        folds.add(Self.refusal(key: "other", video: "film", reason: .wrongPass), window: 10)
        folds.add(Self.refusal(key: "elsewhere", address: "192.0.3.1", reason: .wrongPass), window: 10)
        let rows = Self.taken(&folds)
        #expect(rows.count == most + 3)
        #expect(
            rows.suffix(3) == [
                "0 k\(most) 192.0.2.0/24 show ×50", "0 other 192.0.2.0/24 film ×1", "0 elsewhere 192.0.3.1 show ×1",
            ])
    }

    @Test("Viewers without an address that can be read are a network of their own")
    func withoutAddress() {
        var folds = RefusalFolds()
        let most = RefusalFolds.maximumRowsOfNetwork
        for index in 0..<(2 * most) {
            folds.add(Self.refusal(key: "k\(index)", address: "10.0.\(index).1", reason: .wrongPass), window: 10)
        }
        for index in 0..<(most + 50) {
            folds.add(Self.refusal(key: "k\(index)", address: "unknown", reason: .wrongPass), window: 10)
        }
        let rows = Self.taken(&folds)
        #expect(rows.count == 3 * most + 1)
        #expect(rows.filter { $0.contains(" unknown ") }.count == most)
        #expect(rows.last == "0 k\(most)  show ×50")
    }

    @Test("Beyond a number of rows an account's refusals are one row an application and reason, and none is lost")
    func account() {
        var folds = RefusalFolds()
        let count = 50_000
        for index in 0..<count {
            folds.add(
                Self.refusal(
                    key: "k\(index)", address: "10.\(index >> 8 & 255).\(index & 255).1", video: "v\(index % 1_000)",
                    reason: .wrongPass), window: 10)
        }
        let rows = folds.take()
        #expect(rows.count == RefusalFolds.maximumRowsOfAccount + 1)
        #expect(rows.reduce(0) { $0 + $1.attempt.repeats } == count)
        let last = rows.last?.attempt
        #expect(last?.address == "0.0.0.0/0")
        #expect(last?.video == "*")
        #expect(last?.repeats == count - RefusalFolds.maximumRowsOfAccount)
    }

    @Test("While nothing can be written for hours, there are not more rows than there may be")
    func outage() {
        var folds = RefusalFolds()
        var count = 0
        for round in 0..<200 {
            for index in 0..<500 {
                folds.add(Self.refusal(key: "k\(index)", reason: .wrongPass, second: Double(round) * 60), window: 10)
                count += 1
            }
            folds.failed(folds.take())
            folds.age()
        }
        let rows = folds.take()
        #expect(rows.reduce(0) { $0 + $1.attempt.repeats } == count)
        #expect(rows.count <= 3 * RefusalFolds.maximumRows)
    }

    @Test("Rows are let go of when nothing can be folded into them any more")
    func aged() {
        var folds = RefusalFolds()
        folds.add(Self.refusal(), window: 10)
        let rows = folds.take()
        folds.wrote(rows, ids: [1])
        for _ in 0..<24 { folds.age() }
        #expect(!folds.isIdle)
        for _ in 0..<3 { folds.age() }
        #expect(folds.isIdle)
    }
}

@Suite("Writing of refusals")
struct RefusalLogTests {
    /// Writes rows of a flood that goes on while they are written.
    private final class Flood: Sendable {
        private struct State {
            var log: RefusalLog?
            var added = 0
            var writings: [Int] = []
        }

        private let state = Mutex(State())

        func begin(_ log: RefusalLog) { state.withLock { $0.log = log } }
        var writings: [Int] { state.withLock { $0.writings } }

        func add(_ count: Int) {
            let (log, first) = state.withLock { state in
                defer { state.added += count }
                return (state.log, state.added)
            }
            for index in first..<(first + count) {
                log?.add(
                    .refusal(.sample(address: "10.\(index >> 8).\(index & 255).1"), reason: .unknownTicket),
                    window: 10)
            }
        }

        func write(_ rows: [RefusalFolds.Row]) -> [Int64] {
            let isEnding = state.withLock { state in
                state.writings.append(rows.count)
                return state.writings.count > 100
            }
            if !isEnding { add(10) }
            return rows.map { _ in 1 }
        }
    }

    @Test("What is refused while refusals are written is for the next writing, so a flood is written twice a second")
    func flood() async throws {
        let flood = Flood()
        let log = RefusalLog(interval: .seconds(3_600)) { flood.write($0) }
        flood.begin(log)
        flood.add(300)
        try await log.flush()
        #expect(flood.writings == [256, 44])
        try await log.flush()
        #expect(flood.writings == [256, 44, 20])
    }
}

import Basics
import Foundation
import StoreSupport
import Synchronization
import TestSupport
import Testing

@testable import Storage

@Suite("Places for questions")
struct QuestionPlacesTests {
    /// Questions that are answered when the test says so.
    private final class Questions: Sendable {
        private struct State {
            var entered: [String] = []
            var held: [String: CheckedContinuation<Void, Never>] = [:]
            var wasCancelled = false
        }

        private let state = Mutex(State())
        let places: QuestionPlaces

        init(_ places: QuestionPlaces = QuestionPlaces()) {
            self.places = places
            places.patience = .seconds(3_600)
        }

        /// A question that takes longer than anybody waits.
        func askForEver() async throws {
            try await places.run(1) {
                do {
                    try await Task.sleep(for: .seconds(3_600))
                } catch {
                    self.state.withLock { $0.wasCancelled = true }
                    throw error
                }
            }
        }

        var wasCancelled: Bool { state.withLock { $0.wasCancelled } }

        /// Names of questions in the order in which they got a place.
        var entered: [String] { state.withLock { $0.entered } }

        func answer(_ name: String) {
            state.withLock { $0.held.removeValue(forKey: name) }?.resume()
        }

        /// Asks, and returns when the question runs or waits. Its answer is its name.
        func ask(_ name: String, of accountID: AccountID) async throws -> Task<String, any Error> {
            let waiting = places.waitingCount(accountID)
            let task = Task {
                try await places.run(accountID) {
                    await withCheckedContinuation { continuation in
                        self.state.withLock { state in
                            state.entered.append(name)
                            state.held[name] = continuation
                        }
                    }
                    return name
                }
            }
            try await eventually("\(name) to have come") {
                entered.contains(name) || places.waitingCount(accountID) == waiting + 1
            }
            return task
        }
    }

    @Test("An account has all places but one at most, and another's question is answered at once")
    func share() async throws {
        let questions = Questions()
        for name in ["a1", "a2", "a3", "a4"] { _ = try await questions.ask(name, of: 1) }
        #expect(questions.entered == ["a1", "a2", "a3"])
        #expect(questions.places.waitingCount(1) == 1)
        let other = try await questions.ask("b1", of: 2)
        #expect(questions.entered == ["a1", "a2", "a3", "b1"])
        questions.answer("b1")
        #expect(try await outcome(of: other, "b1") == "b1")
        // The place that is free now is not for an account that has three.
        #expect(questions.places.waitingCount(1) == 1)
        for name in ["a1", "a4", "a2", "a3"] {
            try await eventually("\(name) to run") { questions.entered.contains(name) }
            questions.answer(name)
        }
    }

    @Test("A free place goes to the account that has the fewest, and of its questions to the one that waits longest")
    func order() async throws {
        let questions = Questions()
        for name in ["a1", "a2", "b1", "b2"] { _ = try await questions.ask(name, of: name.hasPrefix("a") ? 1 : 2) }
        for name in ["a3", "a4", "b3", "c1", "c2"] {
            _ = try await questions.ask(name, of: ["a": 1, "b": 2, "c": 3][name.prefix(1)] ?? 0)
        }
        #expect(questions.entered == ["a1", "a2", "b1", "b2"])
        var expected = questions.entered
        for (answered, next) in [("b1", "c1"), ("b2", "b3"), ("a1", "a3"), ("c1", "c2"), ("a3", "a4")] {
            questions.answer(answered)
            expected.append(next)
            try await eventually("\(next) to run") { questions.entered == expected }
        }
        for name in ["a2", "b3", "c2", "a4"] { questions.answer(name) }
    }

    @Test("As many questions of an account wait as may, and one more is refused while another account's still waits")
    func bounded() async throws {
        let questions = Questions()
        var tasks: [Task<String, any Error>] = []
        for number in 0..<(QuestionPlaces.countOfAccount + QuestionPlaces.maximumWaiting) {
            tasks.append(try await questions.ask("a\(number)", of: 1))
        }
        let late = Task { try await questions.places.run(1) { "too many" } }
        await #expect(throws: StoreError.tooManyQuestions) { try await outcome(of: late, "one more") }
        tasks.append(try await questions.ask("b1", of: 2))
        tasks.append(try await questions.ask("b2", of: 2))
        #expect(questions.places.waitingCount(1) == QuestionPlaces.maximumWaiting)
        #expect(questions.places.waitingCount(2) == 1)
        var answered: Set<String> = []
        try await eventually("all to be answered") {
            for name in questions.entered where answered.insert(name).inserted { questions.answer(name) }
            return answered.count == tasks.count
        }
        for task in tasks { _ = try await outcome(of: task, "a question") }
    }

    @Test("Of all accounts together not more questions wait than may")
    func boundedInAll() async throws {
        let questions = Questions()
        for name in ["a1", "a2", "b1", "b2"] { _ = try await questions.ask(name, of: name.hasPrefix("a") ? 1 : 2) }
        let accounts = (0..<(QuestionPlaces.maximumWaitingInAll / QuestionPlaces.maximumWaiting)).map {
            AccountID(rawValue: 100 + $0)
        }
        let tasks = accounts.flatMap { account in
            (0..<QuestionPlaces.maximumWaiting).map { _ in Task { try await questions.places.run(account) { "waited" } }
            }
        }
        try await eventually("all to wait") {
            accounts.allSatisfy { questions.places.waitingCount($0) == QuestionPlaces.maximumWaiting }
        }
        let late = Task { try await questions.places.run(3) { "too many" } }
        await #expect(throws: StoreError.tooManyQuestions) { try await outcome(of: late, "one more") }
        for name in ["a1", "a2", "b1", "b2"] { questions.answer(name) }
        for task in tasks { #expect(try await outcome(of: task, "a question") == "waited") }
    }

    @Test("A question whose caller is gone waits no more, and those behind it stay")
    func gone() async throws {
        let questions = Questions()
        var tasks: [Task<String, any Error>] = []
        for name in ["a1", "a2", "a3", "a4", "a5"] { tasks.append(try await questions.ask(name, of: 1)) }
        tasks[3].cancel()
        await #expect(throws: CancellationError.self) { try await outcome(of: tasks[3], "a4") }
        #expect(questions.places.waitingCount(1) == 1)
        questions.answer("a1")
        #expect(try await outcome(of: tasks[0], "a1") == "a1")
        try await eventually("a5 to run") { questions.entered == ["a1", "a2", "a3", "a5"] }
        for name in ["a2", "a3", "a5"] { questions.answer(name) }
        // Who has gone before asking does not begin.
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await questions.places.run(1) { "late" }
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await outcome(of: late, "late") }
    }

    @Test("A question ends when its time is over, whether it waits or is being answered")
    func patience() async throws {
        let questions = Questions()
        for name in ["a1", "a2"] { _ = try await questions.ask(name, of: 1) }
        questions.places.patience = .milliseconds(1)
        await #expect(throws: StoreError.unavailable("the question took too long")) {
            try await outcome(of: Task { try await questions.askForEver() }, "the question")
        }
        #expect(questions.wasCancelled)
        questions.places.patience = .seconds(3_600)
        _ = try await questions.ask("a3", of: 1)
        questions.places.patience = .milliseconds(1)
        await #expect(throws: StoreError.unavailable("the question took too long")) {
            try await outcome(of: Task { try await questions.places.run(1) { "never" } }, "the wait")
        }
        #expect(questions.places.waitingCount(1) == 0)
        for name in ["a1", "a2", "a3"] { questions.answer(name) }
    }

    @Test("Questions about usage and viewers wait for a place and have their time like others")
    func usage() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            let questions = Questions(store.places)
            for name in ["a1", "a2", "a3"] { _ = try await questions.ask(name, of: 1) }
            store.places.patience = .milliseconds(1)
            let late = StoreError.unavailable("the question took too long")
            await #expect(throws: late) {
                let filter = UsageFilter(days: 0...9)
                let task = Task { try await store.usage(accountID: 1, filter: filter, by: [.app, .stream]) }
                return try await outcome(of: task, "the question")
            }
            await #expect(throws: late) {
                let filter = ViewerFilter(minutes: 0...9, apps: ["demo-origin"])
                let task = Task { try await store.viewers(accountID: 1, filter: filter) }
                return try await outcome(of: task, "the question")
            }
            store.places.patience = .seconds(3_600)
            #expect(try await store.usage(accountID: 2, filter: UsageFilter(days: 0...9), by: []) == [:])
            for name in ["a1", "a2", "a3"] { questions.answer(name) }
            try await store.close()
        }
    }

    @Test(
        "A report that the database would work on for minutes ends there when its time is over, or its caller is gone")
    func interrupted() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            let started = Mutex(0)
            let count = { @Sendable () async throws -> Int? in
                try await store.report(of: 1) { database in
                    started.withLock { $0 += 1 }
                    return try database.first(
                        """
                        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 200000000)
                        SELECT sum(n) AS sum FROM numbers
                        """)?.int("sum")
                }
            }
            let gone = Task { try await count() }
            try await eventually("the report's start") { started.withLock { $0 == 1 } }
            gone.cancel()
            await #expect(throws: CancellationError.self) { try await outcome(of: gone, "the report") }
            store.places.patience = .milliseconds(50)
            await #expect(throws: StoreError.unavailable("the question took too long")) {
                try await outcome(of: Task { try await count() }, "the report")
            }
            store.places.patience = .seconds(3_600)
            // Their places are free again.
            let questions = Questions(store.places)
            for name in ["a1", "a2", "a3"] { _ = try await questions.ask(name, of: 1) }
            #expect(questions.entered == ["a1", "a2", "a3"])
            for name in ["a1", "a2", "a3"] { questions.answer(name) }
            try await store.close()
        }
    }

    @Test("Slow questions of one account hold up none of another's in the store")
    func store() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await store.insertAccount(.demo)
            try await store.insertAccount(.other)
            let questions = Questions(store.places)
            for name in ["a1", "a2", "a3"] { _ = try await questions.ask(name, of: 1) }
            let waiting = Task { try await store.countAttempts(accountID: 1, filter: AttemptFilter()) }
            try await eventually("the question to wait") { store.places.waitingCount(1) == 1 }
            let other = Task {
                let count = try await store.countAttempts(accountID: 2, filter: AttemptFilter())
                let rows = try await store.attempts(accountID: 2, filter: AttemptFilter(), limit: 25, offset: 0)
                return count + rows.count
            }
            #expect(try await outcome(of: other, "the other account's questions") == 0)
            #expect(store.places.waitingCount(1) == 1)
            for name in ["a1", "a2", "a3"] { questions.answer(name) }
            #expect(try await outcome(of: waiting, "the question") == 0)
            #expect(store.places.waitingCount(1) == 0)
            try await store.close()
        }
    }
}

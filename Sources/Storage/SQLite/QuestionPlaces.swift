import Basics
import Synchronization

/// Shares the readers of reports among accounts, so that no account's questions, however many and however slow, keep another's
/// waiting: an account has all places but one at most, and its other questions wait in their order.
///
/// A place that becomes free goes to the account that has the fewest, among those with as many to whoever waits longest. Each
/// question has a time in which it has to wait and be answered; then it is cancelled, as it is when its caller is.
final class QuestionPlaces: Sendable {
    private struct Waiter {
        var number: Int
        var accountID: AccountID
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var patience: Duration
        var running: [AccountID: Int] = [:]
        var taken = 0
        /// In the order in which they came.
        var waiting: [Waiter] = []
        var lastNumber = 0

        func isFree(for accountID: AccountID) -> Bool {
            taken < QuestionPlaces.count && running[accountID, default: 0] < QuestionPlaces.countOfAccount
        }

        mutating func take(_ accountID: AccountID) {
            taken += 1
            running[accountID, default: 0] += 1
        }

        mutating func giveBack(_ accountID: AccountID) {
            taken -= 1
            let left = running[accountID, default: 1] - 1
            running[accountID] = left > 0 ? left : nil
        }

        /// Lets in whoever comes next, if there is a place for anybody who waits.
        mutating func next() -> Waiter? {
            let fitting = waiting.indices.filter { isFree(for: waiting[$0].accountID) }
            // Of equal ones `min` finds the first.
            let next = fitting.min { one, other in
                running[waiting[one].accountID, default: 0] < running[waiting[other].accountID, default: 0]
            }
            guard let next else { return nil }
            take(waiting[next].accountID)
            return waiting.remove(at: next)
        }
    }

    /// Questions that are answered at once.
    static let count = 4
    /// Of one account.
    static let countOfAccount = count - 1
    /// Questions of one account that wait.
    static let maximumWaiting = 32
    /// Questions that wait in all.
    static let maximumWaitingInAll = 1_024

    private let state: Mutex<State>

    init(patience: Duration = .seconds(5)) {
        state = Mutex(State(patience: patience))
    }

    /// How long a question may take, the time that it waits included.
    var patience: Duration {
        get { state.withLock { $0.patience } }
        set { state.withLock { $0.patience = newValue } }
    }

    /// Questions of an account that wait.
    func waitingCount(_ accountID: AccountID) -> Int {
        state.withLock { state in state.waiting.count { $0.accountID == accountID } }
    }

    /// Runs a question of an account when there is a place for it. Throws `StoreError.tooManyQuestions` when as many wait as may.
    func run<Answer: Sendable>(_ accountID: AccountID, _ question: @escaping @Sendable () async throws -> Answer)
        async throws -> Answer
    {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            group.addTask {
                try await self.enter(accountID)
                defer { self.leave(accountID) }
                return try await question()
            }
            group.addTask { [patience] in
                try await Task.sleep(for: patience)
                throw StoreError.unavailable("the question took too long")
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() else { throw CancellationError() }
            return answer
        }
    }

    private func enter(_ accountID: AccountID) async throws {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                // nil: waits. A task that is cancelled from here on finds its entry and removes it.
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.isFree(for: accountID) {
                        state.take(accountID)
                        return .success(())
                    }
                    guard state.waiting.count < Self.maximumWaitingInAll,
                        state.waiting.count(where: { $0.accountID == accountID }) < Self.maximumWaiting
                    else { return .failure(StoreError.tooManyQuestions) }
                    state.waiting.append(
                        Waiter(number: number, accountID: accountID, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let gone = state.withLock { state in
                state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
            }
            gone?.continuation.resume(throwing: CancellationError())
        }
    }

    private func leave(_ accountID: AccountID) {
        let next = state.withLock { state in
            state.giveBack(accountID)
            return state.next()
        }
        next?.continuation.resume()
    }
}

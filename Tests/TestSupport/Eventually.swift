import Synchronization
import Foundation

/// Waits until something holds, looking again every 10 ms; the test fails when it does not within `limit` and has been looked for
/// often enough: while other tests keep the threads busy, time goes by in which nothing could have happened. For things that
/// happen in other tasks and processes and cannot be waited for otherwise; the limit is generous and never what is measured.
public func eventually(
    _ what: String = "the condition", within limit: Duration = .seconds(30),
    isolation: isolated (any Actor)? = #isolation, _ holds: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    var looks = 0
    while try await !holds() {
        looks += 1
        guard looks < 200 || ContinuousClock.now < deadline else {
            throw ProgramFailure(description: "did not happen: \(what)")
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Runs something that must come to an end; fails when it has not within `limit`.
public func promptly<Value: Sendable>(
    _ what: String, within limit: Duration = .seconds(60), _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw ProgramFailure(description: "did not end: \(what)")
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else {
            throw ProgramFailure(description: "did not end: \(what)")
        }
        return value
    }
}

/// What a task gives that must come to an end. Fails when it has not within `limit`, and does not wait for it any longer: a task that
/// hangs may not listen to its cancellation either.
public func outcome<Value: Sendable>(
    of task: Task<Value, any Error>, _ what: String, within limit: Duration = .seconds(30)
) async throws -> Value {
    let isOver = Mutex(false)
    Task {
        _ = await task.result
        isOver.withLock { $0 = true }
    }
    try await eventually("the end of \(what)", within: limit) { isOver.withLock { $0 } }
    return try await task.value
}

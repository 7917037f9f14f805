import Testing

struct DidNotHappen: Error, CustomStringConvertible {
    var description: String
}

/// Waits for a condition, looking at it again and again; fails when the deadline passes first.
func eventually(
    _ what: String, within limit: Duration = .seconds(30), _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < deadline else { throw DidNotHappen(description: "did not happen: \(what)") }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Runs something that must come to an end; fails when it has not within `limit`.
func promptly<Value: Sendable>(
    _ what: String, within limit: Duration = .seconds(5), _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw DidNotHappen(description: "did not end: \(what)")
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw DidNotHappen(description: what) }
        return value
    }
}

/// Lets one at a time through, in the order they came: for changes that read, decide and write.
actor SerialGate {
    private var last: Task<Void, Never>?

    nonisolated func run<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await enqueue(work).value
    }

    private func enqueue<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) -> Task<
        Value, any Error
    > {
        let before = last
        let task = Task {
            await before?.value
            return try await work()
        }
        last = Task { _ = try? await task.value }
        return task
    }
}

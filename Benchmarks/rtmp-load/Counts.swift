import Synchronization

/// What all viewers have received together, or all publishers have sent.
final class Counts: Sendable {
    private let bytes = Atomic<Int>(0)
    private let started = Atomic<Int>(0)

    func add(bytes count: Int) { bytes.wrappingAdd(count, ordering: .relaxed) }
    func start() { started.wrappingAdd(1, ordering: .relaxed) }
    func stop() { started.wrappingSubtract(1, ordering: .relaxed) }

    var totalBytes: Int { bytes.load(ordering: .relaxed) }
    var running: Int { started.load(ordering: .relaxed) }
}

import Synchronization

/// The ceiling on memory that streams hold (rings and segments), over all of them.
///
/// A count, not an allocator: holders say what they keep, and give way when the whole is over the ceiling.
public final class MemoryBudget: Sendable {
    public let ceiling: Int
    private let held = Atomic<Int>(0)

    public init(ceiling: Int) {
        self.ceiling = ceiling
    }

    public var used: Int {
        held.load(ordering: .relaxed)
    }

    public var isExceeded: Bool {
        used > ceiling
    }

    public func change(by bytes: Int) {
        held.wrappingAdd(bytes, ordering: .relaxed)
    }
}

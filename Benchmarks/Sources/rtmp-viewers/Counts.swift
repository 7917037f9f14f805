import Synchronization

/// What all viewers together have seen.
final class Counts: Sendable {
    private let bytes = Atomic<Int>(0)
    private let playing = Atomic<Int>(0)

    func add(bytes count: Int) { bytes.wrappingAdd(count, ordering: .relaxed) }
    func startPlaying() { playing.wrappingAdd(1, ordering: .relaxed) }
    func stopPlaying() { playing.wrappingSubtract(1, ordering: .relaxed) }

    var totalBytes: Int { bytes.load(ordering: .relaxed) }
    var viewersPlaying: Int { playing.load(ordering: .relaxed) }
}

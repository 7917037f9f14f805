import Admission
import Basics
import Live
import Storage
import Synchronization

/// Whether the origin can take viewers, encoders and API calls now, and which part of it cannot: the answer of `/readyz`.
final class Readiness: Sendable {
    enum Part: String, CaseIterable, Sendable {
        case store, connections, memory, shutdown
    }

    private struct State: Sendable {
        var isShuttingDown = false
        /// When the trial write that is under way began.
        var writing: ContinuousClock.Instant?
        /// How the last one ended, and when; nil for what is wrong: it is on disk.
        var written: (problem: String?, at: ContinuousClock.Instant)?
    }

    private let store: any SequenceStore
    private let gate: ConnectionGate
    private let memory: MemoryBudget
    /// How long a write may take.
    private let patience: Duration
    private let state = Mutex(State())

    /// A trial write is good for so long, so that whoever asks often costs no more.
    private let lifetime: Duration
    private let clock: @Sendable () -> ContinuousClock.Instant

    init(
        store: any SequenceStore, gate: ConnectionGate, memory: MemoryBudget, patience: Duration,
        lifetime: Duration = .seconds(1), clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.store = store
        self.gate = gate
        self.memory = memory
        self.patience = patience
        self.lifetime = lifetime
        self.clock = clock
    }

    /// From here on nobody is to be sent here.
    func shutDown() {
        state.withLock { $0.isShuttingDown = true }
    }

    /// For every part what is wrong with it; nil: nothing.
    func problems() async -> [(part: Part, problem: String?)] {
        let store = await storeProblem()
        return Part.allCases.map { part in
            switch part {
            case .store: (part, store)
            case .connections: (part, gate.hasRoomForViewers ? nil : "limits.connections is reached: no viewer gets in")
            case .memory:
                (part, memory.pressure >= .publishers ? "limits.memory is reached: no publisher gets in" : nil)
            case .shutdown: (part, state.withLock { $0.isShuttingDown } ? "the server is shutting down" : nil)
            }
        }
    }

    // MARK: The store

    /// A write shows what reading does not: a full disk, a lock of another process, a queue that stands.
    private func storeProblem() async -> String? {
        let asked = clock()
        while true {
            let now = clock()
            let (answer, mustWrite) = state.withLock { state -> (String??, Bool) in
                if let began = state.writing {
                    return (now - began < patience ? nil : .some("a write has not ended for \(patience)"), false)
                }
                if let written = state.written, written.at >= asked || now - written.at < lifetime {
                    return (.some(written.problem), false)
                }
                state.writing = now
                return (nil, true)
            }
            if let answer { return answer }
            if mustWrite { write() }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return "nobody waits for the answer" }
        }
    }

    private func write() {
        Task {
            var problem: String?
            do {
                _ = try await store.reserveSequence(name: "readiness", count: 1)
            } catch {
                problem = "\(error)"
            }
            state.withLock { [problem] state in
                state.writing = nil
                state.written = (problem, clock())
            }
        }
    }
}

import Live
import Logging
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Admission
@testable import Origin

@Suite("Readiness") struct ReadinessTests {
    /// Writes when it is let, and counts.
    private final class TrialStore: SequenceStore {
        struct State {
            var failure: StoreError?
            var isHeld = false
            var writes = 0
        }
        let state = Mutex(State())

        func reserveSequence(name: String, count: Int64) async throws -> Int64 {
            state.withLock { $0.writes += 1 }
            while state.withLock({ $0.isHeld }) { try await Task.sleep(for: .milliseconds(1)) }
            if let failure = state.withLock({ $0.failure }) { throw failure }
            return 1
        }
    }

    private let store = TrialStore()
    private let memory = MemoryBudget(ceiling: 1_000)
    private let gate: ConnectionGate
    private let readiness: Readiness

    init() {
        let log = LogLimiter(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        gate = ConnectionGate(total: 2, reserved: 1, perAddress: 2, log: log)
        readiness = Readiness(store: store, gate: gate, memory: memory, patience: .seconds(600))
    }

    /// The parts that are ill, with what is said of them.
    private func ill() async -> [String] { await ill(readiness) }

    private func ill(_ readiness: Readiness) async -> [String] {
        await readiness.problems().compactMap { part, problem in problem.map { "\(part): \($0)" } }
    }

    @Test("Nothing is wrong, and whoever asks often has nothing more written")
    func ready() async {
        let readiness = Readiness(
            store: store, gate: gate, memory: memory, patience: .seconds(600), lifetime: .seconds(3_600))
        #expect(await readiness.problems().map(\.part) == [.store, .connections, .memory, .shutdown])
        await withTaskGroup(of: [String].self) { group in
            for _ in 0..<50 { group.addTask { await readiness.problems().compactMap(\.problem) } }
            for await ill in group { #expect(ill.isEmpty) }
        }
        #expect(store.state.withLock { $0.writes } == 1)
    }

    @Test("A store that fails is ill in its own words")
    func failing() async {
        store.state.withLock { $0.failure = .unavailable("SQLite 13, database or disk is full") }
        #expect(await ill() == ["store: the store cannot be used now: SQLite 13, database or disk is full"])
    }

    @Test("A store that does not answer is ill, also to those who come while it hangs, and well again afterwards")
    func hanging() async throws {
        // Whenever the time is asked for, a second has gone by, until it stands.
        let clock = Mutex((now: ContinuousClock.now, step: Duration.seconds(1)))
        let readiness = Readiness(
            store: store, gate: gate, memory: memory, patience: .milliseconds(100),
            clock: {
                clock.withLock {
                    $0.now += $0.step
                    return $0.now
                }
            })
        store.state.withLock { $0.isHeld = true }
        for _ in 0..<3 { #expect(await ill(readiness) == ["store: a write has not ended for 0.1 seconds"]) }
        #expect(store.state.withLock { $0.writes } == 1)
        clock.withLock { $0.step = .zero }
        store.state.withLock { $0.isHeld = false }
        try await eventually("it is well") { await ill(readiness).isEmpty }
    }

    @Test("Connections, memory and the end of the server are said one by one")
    func parts() async {
        let place = gate.enter(nil) {}
        #expect(await ill() == ["connections: limits.connections is reached: no viewer gets in"])
        memory.change(by: 1_000)
        readiness.shutDown()
        #expect(
            await ill() == [
                "connections: limits.connections is reached: no viewer gets in",
                "memory: limits.memory is reached: no publisher gets in", "shutdown: the server is shutting down",
            ])
        memory.change(by: -1_000)
        if let place { gate.leave(place) }
        #expect(await ill() == ["shutdown: the server is shutting down"])
    }
}

import Foundation
import NIOCore
import Storage
import StoreSupport
import Synchronization
import Usher

@testable import Admission

/// Two clocks that stand until they are moved.
final class Clock: Sendable {
    private let moment = Mutex(
        Moment(steady: .uptimeNanoseconds(1_000_000_000_000), date: Date(timeIntervalSince1970: 1_700_000_000)))

    var both: Moment { moment.withLock { $0 } }
    var now: Date { both.date }

    /// Time goes by.
    func advance(_ seconds: TimeInterval) {
        moment.withLock {
            $0.date += seconds
            $0.steady = $0.steady + .milliseconds(Int64((seconds * 1_000).rounded()))
        }
    }

    /// Somebody sets the wall clock.
    func setWallClock(by seconds: TimeInterval) {
        moment.withLock { $0.date += seconds }
    }
}

/// Collects what a connection was told.
final class Ends: Sendable {
    private let reasons = Mutex<[EndReason]>([])

    var all: [EndReason] { reasons.withLock { $0 } }

    func note(_ reason: EndReason) {
        reasons.withLock { $0.append(reason) }
    }
}

/// A real store in a folder of its own, with account 7 (`demo`), and nodes that share it.
struct Scene: Sendable {
    let store: SQLiteStore
    let clock = Clock()

    static func run(_ body: @Sendable (Scene) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("playhouse-test-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let scene = Scene(store: try await SQLiteStore.openForTest(folder: folder.path))
        try await scene.store.insertAccount(Account(id: 7, user: "demo", created: scene.clock.now))
        try await body(scene)
        try await scene.store.close()
    }

    func protect(_ stream: String, _ protection: Protection?) async throws {
        _ = try await store.upsertStream(
            StreamSettings(
                accountID: 7, app: "demo-origin", stream: stream, protection: protection, created: clock.now))
    }

    /// Streams are protected by tickets where nothing else is said.
    func node(_ change: (inout AdmissionConfiguration) -> Void = { _ in }) -> Admissions {
        var configuration = AdmissionConfiguration(defaultProtection: .sevu)
        change(&configuration)
        let clock = clock
        return Admissions(store: store, configuration: configuration, now: { clock.both })
    }

    @discardableResult
    func ticket(
        key: String = "k", ip: String = "0.0.0.0/0", video: String = "s", uses: Int = 10,
        sessions: Int = 0, lifetime: TimeInterval = 3600
    ) async throws -> Ticket {
        try await store.insertTicket(
            Ticket(
                accountID: 7, key: key, pass: "p", ip: ip, app: "demo-*", video: video, uses: uses,
                maximumSessions: sessions, created: clock.now, expires: clock.now.addingTimeInterval(lifetime)))
    }

    func facts(
        key: String? = "k", pass: String? = "p", address: String = "203.0.113.9", video: String = "s",
        app: String = "demo-origin"
    ) -> ViewerFacts {
        ViewerFacts(key: key, pass: pass, address: address, app: app, instance: "live", video: video)
    }

    /// What a segment's request tells: no key.
    func segment(address: String = "203.0.113.9", video: String = "s") -> ViewerFacts {
        facts(key: nil, pass: nil, address: address, video: video)
    }

    /// A viewer's first two requests: master and media playlist.
    func enter(_ node: Admissions, _ facts: ViewerFacts? = nil) async throws -> String? {
        let facts = facts ?? self.facts()
        guard let id = try await node.offer(facts).grant else { return nil }
        return try await node.admit(facts, session: id).grant
    }

    var usedCount: Int? {
        get async throws { try await store.ticket(key: "k")?.usedCount }
    }

    func attempts(_ isSuccess: Bool? = nil) async throws -> Int {
        try await store.countAttempts(accountID: 7, filter: AttemptFilter(isSuccess: isSuccess))
    }

    func reasons() async throws -> [String] {
        try await store.attempts(accountID: 7, filter: AttemptFilter(isSuccess: false), limit: 100, offset: 0).map(
            \.reason)
    }
}

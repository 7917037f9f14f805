import Admission
import Basics
import Foundation
import Logging
import ServiceLifecycle
import Storage
import StoreSupport
import Synchronization
import TestSupport
import Testing
import Usher

@testable import Origin

@Suite("Housekeeping") struct HousekeepingTests {
    /// A store with one account, and what the log has said.
    private struct Scene: Sendable {
        let store: SQLiteStore
        let log = LogLines()
        let now = Date(timeIntervalSince1970: 1_700_000_000)

        func housekeeping(
            attempts: Duration, events: Duration, usage: Duration = .zero, viewers: Duration = .zero
        ) -> Housekeeping {
            Housekeeping(
                store: store, attemptRetention: attempts, eventRetention: events, usageRetention: usage,
                viewerRetention: viewers, sessionTimeout: .seconds(7_200),
                logger: Logger(label: "test") { _ in log })
        }

        /// Something of each kind, `hours` old.
        func add(hours: Double) async throws {
            try await refuse(hours: hours)
            let date = now - hours * 3_600
            try await store.recordEvent(
                OriginEvent(
                    accountID: 1, date: date, kind: .publish, app: "demo-origin", instance: "live", stream: "show",
                    isAuthenticated: true, user: "", address: "192.0.2.1"))
            _ = try await store.beginReplay(digest: "\(hours)", now: date, expires: date + 600)
            try await store.finishReplay(digest: "\(hours)", reply: "\(hours)")
        }

        /// A refused viewer, `hours` ago.
        func refuse(hours: Double) async throws {
            let facts = ViewerFacts(
                key: "k", pass: "p", address: "192.0.2.1", app: "demo-origin", instance: "play", video: "show \(hours)",
                pageURL: "", serverAddress: "")
            store.recordRefusal(
                Attempt(
                    accountID: 1, date: now - hours * 3_600, facts: facts, isSuccess: false, reason: "Unknown Ticket"),
                foldingWindow: 10)
        }

        var attempts: [String] {
            get async throws {
                try await store.attempts(accountID: 1, filter: AttemptFilter(), limit: 100, offset: 0).map(\.video)
            }
        }
        var events: Int {
            get async throws {
                try await store.events(accountID: 1, app: "demo-origin", stream: nil, limit: 100, offset: 0).count
            }
        }
    }

    private func run(_ body: (Scene) async throws -> Void) async throws {
        let folder = try Folder()
        let scene = Scene(store: try await SQLiteStore.openForTest(folder: folder.path))
        try await scene.store.insertAccount(Account(id: 1, user: "demo", created: scene.now))
        do {
            try await body(scene)
        } catch {
            try? await scene.store.close()
            throw error
        }
        try? await scene.store.close()
    }

    @Test("What is older than its retention goes, each kind by its own, and what is younger stays")
    func sweep() async throws {
        try await run { (scene: Scene) async throws in
            for hours in [60.0, 30, 5, 1] { try await scene.add(hours: hours) }
            await scene.housekeeping(attempts: .seconds(24 * 3_600), events: .seconds(48 * 3_600)).sweep(now: scene.now)
            #expect(try await scene.attempts == ["show 1.0", "show 5.0"])
            #expect(try await scene.events == 3)
            #expect(scene.log.lines.isEmpty)
        }
    }

    @Test("A retention of nothing keeps all")
    func unlimited() async throws {
        try await run { (scene: Scene) async throws in
            for hours in [1.0, 30, 60_000] { try await scene.add(hours: hours) }
            await scene.housekeeping(attempts: .zero, events: .zero).sweep(now: scene.now)
            #expect(try await scene.attempts.count == 3)
            #expect(try await scene.events == 3)
        }
    }

    @Test("Usage and viewers go by retentions of their own")
    func usage() async throws {
        try await run { (scene: Scene) async throws in
            let today = UsageLog.day(of: scene.now)
            let minute = UsageLog.minute(of: scene.now)
            for age in [0, 5, 20, 500] {
                try await scene.store.addUsage(
                    [
                        UsageKey(accountID: 1, day: today - age, app: "demo-origin", stream: "s", instance: "live"):
                            UsageAmount(bytes: 1)
                    ],
                    viewers: [
                        ViewerMinute(
                            accountID: 1, minute: minute - age, app: "demo-origin", stream: "s", instance: "live",
                            server: ""): ViewerAmount(peak: 1)
                    ])
            }
            func kept() async throws -> [Int] {
                let days = try await scene.store.usage(
                    accountID: 1, filter: UsageFilter(days: 0...1_000_000), by: [.day])
                let minutes = try await scene.store.viewers(
                    accountID: 1, filter: ViewerFilter(minutes: 0...1_000_000_000, apps: ["demo-origin"]))
                return [days.count, minutes.count]
            }
            await scene.housekeeping(attempts: .zero, events: .zero).sweep(now: scene.now)
            #expect(try await kept() == [4, 4])
            await scene.housekeeping(
                attempts: .zero, events: .zero, usage: .seconds(400 * 86_400), viewers: .seconds(10 * 60)
            ).sweep(now: scene.now)
            #expect(try await kept() == [3, 2])
            #expect(scene.log.lines.isEmpty)
        }
    }

    @Test("Sessions go when nobody can join them any more, tickets long after they have expired")
    func sessionsAndTickets() async throws {
        try await run { (scene: Scene) async throws in
            func ticket(_ key: String, expired hours: Double) async throws {
                _ = try await scene.store.insertTicket(
                    Ticket(
                        accountID: 1, key: key, pass: "p", ip: "0.0.0.0/0", app: "*", video: "*", uses: 0,
                        created: scene.now, expires: scene.now - hours * 3_600))
            }
            try await ticket("old", expired: 30)
            try await ticket("recent", expired: 20)
            try await ticket("good", expired: -1)
            func request(_ hours: Double, _ window: Double) -> AdmissionRequest {
                AdmissionRequest(
                    facts: ViewerFacts(
                        key: "good", pass: "p", address: "192.0.2.1", app: "demo-origin", instance: "play",
                        video: "show \(hours)"),
                    accountID: 1, now: scene.now - hours * 3_600, sessionID: "s\(hours)", joinWindow: window)
            }
            for hours in [3.0, 5] { _ = try await scene.store.admit(request(hours, 60)) }
            await scene.housekeeping(attempts: .seconds(24 * 3_600), events: .zero).sweep(now: scene.now)
            #expect(try await scene.store.ticket(key: "old") == nil)
            #expect(try await scene.store.ticket(key: "recent") != nil)
            #expect(try await scene.store.ticket(key: "good") != nil)
            // Twice two hours.
            #expect(try await scene.store.sessionToJoin(request(3, 1e6)) == "s3.0")
            #expect(try await scene.store.sessionToJoin(request(5, 1e6)) == nil)
            await scene.housekeeping(attempts: .zero, events: .zero).sweep(now: scene.now + 90_000_000)
            #expect(try await scene.store.ticket(key: "good") != nil)
        }
    }

    @Test("Remembered replies go when they have run out, whatever is kept otherwise")
    func replays() async throws {
        try await run { (scene: Scene) async throws in
            try await scene.add(hours: 1)
            try await scene.add(hours: 0.1)
            await scene.housekeeping(attempts: .zero, events: .zero).sweep(now: scene.now)
            // Asked as of the time at which both were good.
            let then = scene.now - 3_600
            #expect(try await scene.store.beginReplay(digest: "1.0", now: then, expires: then + 600) == .new)
            #expect(
                try await scene.store.beginReplay(digest: "0.1", now: then, expires: then + 600) == .answered("0.1"))
        }
    }

    @Test("A store that fails is one warning, and no end of the service")
    func failingStore() async throws {
        try await run { (scene: Scene) async throws in
            try await scene.store.close()
            await scene.housekeeping(attempts: .seconds(60), events: .seconds(60)).sweep(now: scene.now)
            #expect(scene.log.lines == ["warning housekeeping failed [\"error\": the store is closed]"])
        }
    }

    @Test("It sweeps at the start and again and again, and ends with the origin, without a word")
    func service() async throws {
        try await run { (scene: Scene) async throws in
            try await scene.refuse(hours: 30)
            var housekeeping = scene.housekeeping(attempts: .seconds(24 * 3_600), events: .zero)
            housekeeping.interval = .milliseconds(10)
            let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let group = ServiceGroup(services: [housekeeping], logger: quiet)
            let running = Task { try await group.run() }
            try await eventually("the first sweep") { try await scene.attempts.isEmpty }
            // Against this machine's clock, by which the service goes, all of it is old.
            try await scene.refuse(hours: 40)
            try await eventually("another sweep") { try await scene.attempts.isEmpty }
            await group.triggerGracefulShutdown()
            try await running.value
            #expect(scene.log.lines.isEmpty)
        }
    }
}

/// Keeps the lines that are logged, as `level message metadata`.
final class LogLines: LogHandler {
    private let kept = Mutex<[String]>([])

    var lines: [String] { kept.withLock { $0 } }

    var logLevel: Logger.Level {
        get { .info }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
        kept.withLock { $0.append("\(event.level) \(event.message) [\(metadata.joined(separator: ", "))]") }
    }
}

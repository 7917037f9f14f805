import Admission
import Basics
import Foundation
import Live
import Logging
import NIOCore
import NIOPosix
import PushPublish
import Storage
import StoreSupport
import Synchronization
import Usher

@testable import ControlAPI

/// A clock that stands until it is moved.
final class TestClock: Sendable {
    private let date = Mutex(Date(timeIntervalSince1970: 1_700_000_000))

    var now: Date { date.withLock { $0 } }

    func set(_ new: Date) {
        date.withLock { $0 = new }
    }

    func advance(_ seconds: TimeInterval) {
        date.withLock { $0 += seconds }
    }
}

/// HLS viewers, as a test says.
final class Audience: Sendable {
    private let counts = Mutex<[StreamAddress: Int]>([:])

    func count(of address: StreamAddress) -> Int {
        counts.withLock { $0[address] ?? 0 }
    }

    func set(_ count: Int, of address: StreamAddress) {
        counts.withLock { $0[address] = count }
    }
}

/// The whole API over a real store in a folder of its own, a real stage and a real push supervisor.
///
/// Account 158 (`demo`) has the keys of the documentation's samples; account 200 (`other`) is the stranger.
struct TestAPI: Sendable {
    static let publicKey = "APX4GKLM0RKQLSP2FBO1ROPKSSW47DZE"
    static let privateKey = "8fc8c48da81e6a2a06a9556379bf798af508dc0792497c678b4c3532ba8b637f"

    let store: SQLiteStore
    let secret: ServerSecret
    let clock = TestClock()
    let stage: Stage
    let admissions: Admissions
    let pushes: PushSupervisor
    let meters = DeliveryMeters()
    let usage: UsageLog
    /// HLS viewers without tickets.
    let audience = Audience()
    let service: ControlService
    let demo: APIKey
    let reader: APIKey
    let seller: APIKey
    let other: APIKey

    /// - Parameter passwordCost: of bcrypt; nil: the program's own, of which each takes tens of milliseconds.
    static func run(
        failuresPerMinute: Int = 0, pushesPerAccount: Int = 100, replayWait: Duration = .seconds(60),
        kinds: DestinationKinds = .builtIn, passwordCost: UInt? = 4,
        _ body: @Sendable (TestAPI) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("playhouse-api-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try await SQLiteStore.openForTest(folder: folder.path)
        let secret = try ServerSecret.load(folder: folder.path)
        let api = try await TestAPI(
            store: store, secret: secret, failuresPerMinute: failuresPerMinute, pushesPerAccount: pushesPerAccount,
            replayWait: replayWait, kinds: kinds, passwordCost: passwordCost)
        do {
            try await body(api)
        } catch {
            await api.end()
            throw error
        }
        await api.end()
    }

    private init(
        store: SQLiteStore, secret: ServerSecret, failuresPerMinute: Int, pushesPerAccount: Int, replayWait: Duration,
        kinds: DestinationKinds, passwordCost: UInt?
    ) async throws {
        self.store = store
        self.secret = secret
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let clock = clock
        stage = Stage(memory: MemoryBudget(ceiling: 1 << 30), logger: logger, meters: meters)
        let now = { @Sendable in
            Moment(steady: .uptimeNanoseconds(UInt64(clock.now.timeIntervalSince1970 * 1e9)), date: clock.now)
        }
        usage = UsageLog(store: store, meters: meters, server: "origin.example", logger: logger, now: now)
        admissions = Admissions(store: store, secret: secret, logger: logger, now: now)
        pushes = PushSupervisor(
            configuration: PushConfiguration(maxPerAccount: pushesPerAccount), kinds: kinds, store: store,
            group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        await stage.add(pushes)
        var environment = ControlEnvironment(
            store: store, secret: secret, stage: stage, admissions: admissions, pushes: pushes,
            usage: usage, addresses: PublicAddresses(host: "origin.example", rtmpPort: 1935, httpPort: 8080),
            version: "1.0",
            logger: logger, threads: .singleton, now: { clock.now },
            viewers: { [audience] in $1 + audience.count(of: $0) })
        if let passwordCost { environment.passwordCost = passwordCost }
        service = ControlService(
            environment: environment,
            // All that a test does is done in the same minute.
            failures: FailureLimit(perMinute: failuresPerMinute, clock: { .uptimeNanoseconds(1_000_000_000) }),
            replayWait: replayWait)

        try await store.insertAccount(Account(id: 158, user: "demo", created: clock.now))
        try await store.insertAccount(Account(id: 200, user: "other", created: clock.now))
        demo = try await store.insertKey(
            APIKey(
                accountID: 158, apiKey: Self.publicKey, privateKey: Self.privateKey, rights: .full,
                label: "documentation",
                created: clock.now))
        reader = try await store.insertKey(.generate(accountID: 158, rights: .read, label: "read", now: clock.now))
        seller = try await store.insertKey(
            .generate(accountID: 158, rights: .tickets, label: "tickets", now: clock.now))
        other = try await store.insertKey(.generate(accountID: 200, rights: .full, label: "other", now: clock.now))
    }

    private func end() async {
        await pushes.drain()
        await stage.drain()
        try? await store.close()
    }

    // MARK: - Calls

    /// A request as a client signs it now.
    func text(_ command: String, _ fields: JSONObject = [:], key: APIKey? = nil) -> String {
        let key = key ?? demo
        return SignedCall(accountID: key.accountID, apiKey: key.apiKey, privateKey: key.privateKey)
            .text(command: command, fields: fields, now: clock.now)
    }

    func post(_ text: String, address: String = "192.0.2.1") async -> ControlResponse {
        await service.handle(contentType: "application/json", body: Array(text.utf8), address: address)
    }

    /// Posts with the form field that asks for PHP's serialisation.
    func postPHP(_ text: String) async -> ControlResponse {
        let body = Array("php=\(percentEncoded(text))".utf8)
        return await service.handle(
            contentType: "application/x-www-form-urlencoded", body: body, address: "192.0.2.1")
    }

    /// Signs, posts and reads the reply. Every call is a request of its own: the clock goes on by a second.
    @discardableResult
    func call(_ command: String, _ fields: JSONObject = [:], key: APIKey? = nil) async throws -> TestReply {
        clock.advance(1)
        return TestReply(await post(text(command, fields, key: key)))
    }
}

/// A reply as a client reads it.
struct TestReply {
    let object: JSONObject
    let text: String

    /// A body that is no JSON object gives an object without members, which no expectation fits.
    init(_ response: ControlResponse) {
        text = String(decoding: response.body, as: UTF8.self)
        object = (try? JSONParser.parse(response.body).root.objectValue) ?? [:]
    }

    var code: Int? {
        if case .integer(let code)? = object["code"] { Int(code) } else { nil }
    }

    var message: String? { object["message"]?.stringValue }
    var status: String? { object["status"]?.stringValue }

    subscript(name: String) -> JSONValue? { object[name] }

    /// The text with the time taken replaced, which differs from run to run.
    var normalized: String { normalizeHandleTime(text) }
}

/// `"handle_time":"0.0004 seconds"` as `"handle_time":"T"`, if it has the documented form.
func normalizeHandleTime(_ text: String) -> String {
    text.replacing(/[0-9]+\.[0-9]{4} seconds/, with: "T")
}

func percentEncoded(_ text: String) -> String {
    text.utf8.map { byte in
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
    }.joined()
}

extension JSONValue {
    subscript(name: String) -> JSONValue? { objectValue?[name] }
}

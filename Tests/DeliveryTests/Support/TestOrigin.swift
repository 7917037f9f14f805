import Admission
import Foundation
import Hummingbird
import Live
import Logging
import NIOCore
import NIOPosix
import Storage
import StoreSupport
import TestSupport
import Testing
import Usher

@testable import Delivery

/// A store on disk, a door and a stage with playback: what survives when it is made anew in the same folder.
struct TestOrigin {
    let store: SQLiteStore
    let admissions: Admissions
    let test: TestStage
    let service: PlaybackService

    static let key = "mystream.53ffc996dd39d5.39102367"
    static let ticketQuery = "key=mystream.53ffc996dd39d5.39102367&pass=user%7C1"

    init(folder: String) async throws {
        store = try await SQLiteStore.openForTest(folder: folder)
        if try await store.account(id: 1) == nil {
            try await store.insertAccount(Account(id: 1, user: "demo", created: Date()))
        }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        admissions = Admissions(store: store, logger: logger)
        let configuration = DeliveryConfiguration(segmenter: TestStage.segmenter)
        test = await TestStage(store: store, configuration: configuration)
        service = PlaybackService(
            outputs: test.outputs, stage: test.stage, admission: admissions, configuration: configuration,
            logger: logger)
    }

    /// Runs `body` with an origin in a folder that is removed afterwards.
    static func run(_ body: (_ folder: String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        do {
            try await body(folder)
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
        try FileManager.default.removeItem(atPath: folder)
    }

    /// The demo account, its stream protected, and a ticket for it.
    func protect(uses: Int) async throws {
        let now = Date()
        _ = try await store.upsertStream(
            StreamSettings(accountID: 1, app: "demo-origin", stream: "mystream", protection: .sevu, created: now))
        _ = try await store.insertTicket(
            Ticket(
                accountID: 1, key: Self.key, pass: "user|1", ip: "auto", app: "demo-*", video: "mystream", uses: uses,
                created: now, expires: now + 3_600))
    }

    /// The whole sample, published and ended.
    func publishSample() async throws {
        let publication = try await test.publish()
        try await test.send(FLVFile.sample(), to: publication)
        try await test.end(publication)
    }

    /// Serves HTTP on a free port of the loopback interface while `body` runs.
    func serve<Value: Sendable>(_ body: @escaping @Sendable (_ base: String) async throws -> Value) async throws
        -> Value
    {
        var logger = Logger(label: "http")
        logger.logLevel = .critical
        let router = Router(context: ConnectionRequestContext.self)
        let listener = try await HTTPListener.bind(
            on: .address(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton, gate: nil,
            limits: HTTPLimits(), memory: HTTPMemory(budget: MemoryBudget(ceiling: 1 << 30), maximumBodies: 1 << 20),
            playback: service, responder: router.buildResponder(), log: LogLimiter(logger: logger), logger: logger)
        let value = try await body("http://127.0.0.1:\(listener.port)")
        await listener.drain(within: .zero)
        return value
    }

    func usedCount() async throws -> Int? {
        try await store.ticket(key: Self.key)?.usedCount
    }

    func attempts(success: Bool) async throws -> Int {
        try await store.countAttempts(accountID: 1, filter: AttemptFilter(isSuccess: success))
    }
}

/// What curl got.
struct Fetched: Sendable {
    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var text: String

    static func get(_ url: String, _ options: String...) async throws -> Fetched {
        let result = try await ForeignProgram.run(["curl", "-s", "-i", "--path-as-is"] + options + [url])
        try #require(result.status == 0, "\(result.errors)")
        let head = result.text.prefix { _ in true }.components(separatedBy: "\r\n\r\n")
        let lines = (head.first ?? "").components(separatedBy: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            headers[line[..<colon].lowercased()] = value
        }
        return Fetched(
            status: try #require(status), headers: headers, text: head.dropFirst().joined(separator: "\r\n\r\n"))
    }
}

import Admission
import Basics
import Foundation
import Live
import Logging
import NIOCore
import NIOPosix
import Storage
import StoreSupport
import TestSupport
import Usher

@testable import RTMPServer

/// An RTMP server on a free port of this machine, with a real stage and a real store. Streams of the account `demo` are open
/// to every encoder, and those whose name begins with `paid` ask viewers for tickets.
struct ServerScene: Sendable {
    let store: SQLiteStore
    let stage: Stage
    let admissions: Admissions
    let memory: MemoryBudget
    let environment: RTMPEnvironment
    let server: RTMPServer

    /// - Parameters:
    ///   - slowPeer: `live.slow_viewer_timeout`.
    ///   - returnAfter: the silence after which an encoder takes the place that it had.
    ///   - farewell: how long a peer has to take the last word.
    ///   - observer: told what comes on air, before the encoder is.
    static func run(
        slowPeer: Duration = .seconds(600), returnAfter: Duration = .seconds(600), farewell: TimeAmount = .seconds(600),
        observer: (any StageObserver)? = nil,
        _ body: (ServerScene) async throws -> Void
    ) async throws {
        let folder = try Folder()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try await SQLiteStore.openForTest(folder: folder.path)
        let secret = try ServerSecret.load(folder: folder.path)
        try await store.insertAccount(Account(id: 7, user: "demo", created: Date()))
        for stream in ["*", "mine"] {
            let user = stream == "*" ? nil : "encoder"
            _ = try await store.insertStreamUser(
                StreamUser(
                    accountID: 7, app: "demo-origin", stream: stream, user: user,
                    passwordHash: try user.map { _ in try Password.hash("secret", cost: 4) }, created: Date()))
        }
        let memory = MemoryBudget(ceiling: 1 << 30)
        let stage = Stage(memory: memory, logger: logger)
        if let observer { await stage.add(observer) }
        var admission = AdmissionConfiguration()
        admission.protectedStreams = ["demo-origin/paid*"]
        let admissions = Admissions(store: store, configuration: admission, logger: logger)
        let threads = NIOThreadPool.singleton
        let authorizer = PublishAuthorizer(
            store: store, secret: secret, passwords: PasswordChecker(threads: threads, acceptsHash: false),
            failures: FailureLimit(perMinute: 0), logger: logger)
        // Nothing but what a test is about happens because of the time.
        var hub = HubSettings(
            reconnectWindow: .seconds(600), takeoverAfter: .seconds(600), slowViewerTimeout: slowPeer)
        hub.returnAfter = returnAfter
        var configuration = RTMPServerConfiguration(
            handshakeTimeout: .seconds(600), idleTimeout: .seconds(600), maximumMessage: 8 << 20, hub: hub)
        configuration.farewell = farewell
        let environment = RTMPEnvironment(
            configuration: configuration, stage: stage, memory: memory, admissions: admissions, authorizer: authorizer,
            challenges: ChallengeAuthentication(authorizer: authorizer, secret: secret, apps: []),
            events: OriginEventLog(store: store, logger: logger), logger: logger, log: LogLimiter(logger: logger))
        let server = try await RTMPServer.bind(
            on: .address(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton, gate: nil,
            environment: environment)
        let scene = ServerScene(
            store: store, stage: stage, admissions: admissions, memory: memory, environment: environment,
            server: server)
        do {
            try await body(scene)
        } catch {
            try? await scene.close()
            throw error
        }
        try await scene.close()
    }

    /// The loops go on: tasks that a connection has begun may have something to say there when it is gone.
    private func close() async throws {
        await server.stopAccepting()
        _ = await server.endConnections(within: .zero)
        try await eventually("the end of all connections") { server.connectionCount == 0 }
        try await store.close()
    }

    /// A ticket for a stream; gives what a player adds to the stream's name.
    func ticket(_ key: String, for video: String) async throws -> String {
        _ = try await store.insertTicket(
            Ticket(
                accountID: 7, key: key, pass: "p", ip: "0.0.0.0/0", app: "demo-*", video: video, uses: 10,
                created: Date(), expires: Date().addingTimeInterval(3_600)))
        return "?key=\(key)&pass=p"
    }

    func peer(reads: Bool = true, connect: [String: String] = [:]) async throws -> TestPeer {
        try await TestPeer.connect(port: server.port, reads: reads, connect: connect)
    }

    /// An encoder that is on air with a keyframe.
    func encoder(_ name: String) async throws -> TestPeer {
        let peer = try await peer()
        await peer.command("createStream", transaction: 2)
        await peer.command("publish", .string(name), "live", stream: 1)
        try await eventually("\(name) published") { peer.has("NetStream.Publish.Start") }
        await peer.keyframe(at: 0)
        return peer
    }

    /// A player that has got media.
    func player(_ name: String) async throws -> TestPeer {
        let peer = try await peer()
        await peer.command("createStream", transaction: 2)
        await peer.command("play", .string(name), stream: 1)
        try await eventually("\(name) played: \(peer.codes)") { !peer.videos.isEmpty }
        return peer
    }

    func report(_ stream: String) async -> HubReport? {
        await stage.hub(at: StreamAddress(app: "demo-origin", instance: "live", stream: stream))?.report()
    }
}

import Basics
import Admission
import ControlAPI
import Delivery
import Foundation
import Hummingbird
import Live
import Logging
import NIOCore
import NIOPosix
import PushPublish
import RTMPServer
import ServiceLifecycle
import Settings
import Storage
import TLS

/// All rooms put together: the only place that knows them all.
final class Origin: Sendable {
    let store: SQLiteStore
    let group: MultiThreadedEventLoopGroup
    let threads: NIOThreadPool
    let events: OriginEventLog
    let rtmpPort: Int
    /// In the order they are started; a shutdown goes backwards: HTTP first, so that no player sees the end of playlists
    /// that a restart continues, then RTMP, then what they work with.
    let services: [any Service]
    /// Ends when another program is to take this one's place.
    let replacement: ReplacementService

    /// - Parameters:
    ///   - sockets: what listeners need not open.
    ///   - replacement: how another program takes this one's place.
    ///   - patience: how long a trial write for `/readyz` may take.
    init(
        configuration: PlayhouseConfiguration, logger: Logger, sockets: InheritedSockets = InheritedSockets(),
        replacement: Replacement = Replacement(command: [], isAwaited: false), patience: Duration = .seconds(2)
    ) async throws {
        var sockets = sockets
        let folder = configuration.storage.path
        let store: SQLiteStore
        let secret: ServerSecret
        do {
            let isNew = !ServerSecret.exists(folder: folder)
            store = try await SQLiteStore.open(folder: folder, logger: logger)
            secret = try ServerSecret.load(folder: folder)
            if isNew, try await store.holdsSealed() {
                logger.warning(
                    """
                    the key file is new, and what was sealed with the former one cannot be opened: calls with the API keys of \
                    before fail, stored pushes and signed tokens do not work, and encoders that log in by challenge are refused, \
                    until the file is restored, or all of these are made anew
                    """, metadata: ["file": "\(folder)/\(ServerSecret.fileName)"])
            }
        } catch {
            throw StartFailure(description: "storage.path \(folder): \(error)")
        }
        let isAlone = SQLiteStore.claimServer(folder: folder)
        if !isAlone {
            logger.warning(
                "another server uses this store: streams, pushes and viewers of the two do not know of each other",
                metadata: ["folder": "\(folder)"])
        }
        let loops = max(1, configuration.server.eventLoops)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let threads = NIOThreadPool(numberOfThreads: max(1, loops / 2))
        threads.start()
        self.store = store
        self.group = group
        self.threads = threads

        // One for all rooms: what one network causes is counted together.
        let log = LogLimiter(logger: logger)
        let memory = MemoryBudget(ceiling: configuration.limits.memory)
        let meters = DeliveryMeters()
        let stage = Stage(memory: memory, logger: logger, meters: meters)
        let countries = configuration.countries(logger: logger)
        countries?.refresh()
        let admissions = Admissions(
            store: store, configuration: configuration.admission, secret: secret, countries: countries, logger: logger)
        let pushes = PushSupervisor(
            configuration: configuration.pushing, store: store, group: group, logger: logger)
        let outputs = OutputTable(
            configuration: configuration.delivery, store: store, memory: memory, logger: logger)
        let events = OriginEventLog(store: store, logger: logger)
        self.events = events
        // In this order a stream is packaged before its publisher is let in, and its event is dated before those of its pushes.
        await stage.add(outputs)
        await stage.add(events)
        await stage.add(pushes)

        // Counted apart: an encoder that repeats a wrong password must not close the API to everybody behind its address.
        let failedLogins = FailureLimit(perMinute: configuration.api.rateLimit)
        let failedSignatures = FailureLimit(perMinute: configuration.api.rateLimit)
        let authorizer = PublishAuthorizer(
            store: store, secret: secret,
            passwords: PasswordChecker(threads: threads, acceptsHash: configuration.compat.acceptPasswordHash),
            failures: failedLogins, logger: logger, backupSuffix: configuration.live.backupSuffix)
        let rtmp = RTMPEnvironment(
            configuration: configuration.rtmpServer, stage: stage, memory: memory, admissions: admissions,
            authorizer: authorizer,
            challenges: ChallengeAuthentication(
                authorizer: authorizer, secret: secret, apps: configuration.rtmp.challengeApps),
            events: events, logger: logger, log: log)
        let files = ProcessLimits.files
        let possible = ProcessLimits.connections(configuration.limits.connections, files: files)
        if possible < configuration.limits.connections {
            logger.warning(
                """
                the system allows fewer open files than limits.connections needs: there will be no more connections than fit \
                (ulimit -n, or LimitNOFILE in a systemd unit)
                """,
                metadata: [
                    "open_files": "\(files)", "limits.connections": "\(configuration.limits.connections)",
                    "connections": "\(possible)",
                ])
        }
        let gate = ConnectionGate(configuration, files: files, log: log)
        let saved =
            isAlone && configuration.server.resumeWithin > .zero
            ? SavedStateFile(folder: folder, secret: secret, logger: logger) : nil
        await saved?.restore(configuration, outputs: outputs, admissions: admissions, group: group, meters: meters)
        let listen = configuration.rtmp.listen
        let rtmpSocket = sockets.place(for: "rtmp", at: listen)
        let server = try await StartFailure.listening("rtmp.listen", listen) {
            try await RTMPServer.bind(
                on: rtmpSocket, group: group, gate: gate, environment: rtmp)
        }
        rtmpPort = server.port
        logger.info("listening for RTMP", metadata: ["address": "\(listen.host):\(server.port)"])
        var servers = [server]
        var certificates: [ServerCertificates] = []
        if let listen = configuration.rtmps.listen {
            let own = try configuration.certificates(
                of: configuration.rtmps, group: "rtmps", protocols: [], logger: logger)
            certificates.append(own)
            let tls = TLSEnvironment(
                certificates: own, timeout: configuration.rtmp.handshakeTimeout.timeAmount, holdsBack: false,
                memory: memory, log: log)
            let socket = sockets.place(for: "rtmps", at: listen)
            let server = try await StartFailure.listening("rtmps.listen", listen) {
                try await RTMPServer.bind(on: socket, group: group, gate: gate, tls: tls, environment: rtmp)
            }
            logger.info("listening for RTMPS", metadata: ["address": "\(listen.host):\(server.port)"])
            servers.append(server)
        }

        let playback = PlaybackService(
            outputs: outputs, stage: stage, admission: admissions, configuration: configuration.delivery,
            logger: logger,
            playerLibrary: configuration.playerLibrary(logger: logger))
        let usage = UsageLog(store: store, meters: meters, server: configuration.server.publicHost, logger: logger)
        let viewers: UsageLog.ViewerCount = { address, connections in
            // With tickets every viewer has a session, connections included; without there are none.
            max(connections, admissions.viewerCount(app: address.app, stream: address.stream))
                + playback.viewerCount(address)
        }
        let environment = ControlEnvironment(
            store: store, secret: secret, stage: stage, admissions: admissions, pushes: pushes, usage: usage,
            addresses: PublicAddresses(
                host: configuration.server.publicHost, rtmpPort: server.port,
                httpPort: (configuration.https.listen ?? configuration.http.listen).port,
                isSecure: configuration.https.listen != nil, publicURL: configuration.server.publicURL),
            version: PlayhouseVersion.current, logger: logger, threads: threads,
            viewers: viewers,
            lastSegment: { outputs.output(at: $0)?.lastSequence })
        let control = ControlService(
            environment: environment, timestampWindow: configuration.api.timestampWindow.timeInterval,
            failures: failedSignatures)
        let router = Router(context: ConnectionRequestContext.self)
        let readiness = Readiness(store: store, gate: gate, memory: memory, patience: patience)
        HealthRoute(readiness: readiness).add(to: router)
        let routes = ControlRoutes(
            service: control, trustedProxies: configuration.http.trustedProxies, maximumBody: configuration.limits.body)
        routes.add(to: router)
        let responder = routes.answeringMisses(of: router.buildResponder())
        let http = configuration.http.listen
        // Hummingbird's own lines are about every request; ours say what matters.
        var quiet = logger
        quiet.logLevel = Swift.max(logger.logLevel, .warning)
        let web = HTTPMemory(budget: memory, maximumBodies: configuration.limits.bodies)
        let bind = { @Sendable [quiet] (socket: ListeningSocket, tls: TLSEnvironment?) in
            try await HTTPListener.bind(
                on: socket, group: group, gate: gate, tls: tls,
                limits: configuration.httpLimits, memory: web, playback: playback, responder: responder, log: log,
                logger: quiet)
        }
        let httpSocket = sockets.place(for: "http", at: http)
        var listeners = [try await StartFailure.listening("http.listen", http) { try await bind(httpSocket, nil) }]
        logger.info("listening for HTTP", metadata: ["address": "\(http.host):\(listeners[0].port)"])
        if let https = configuration.https.listen {
            let own = try configuration.certificates(
                of: configuration.https, group: "https", protocols: ["h2", "http/1.1"], logger: logger)
            certificates.append(own)
            let tls = TLSEnvironment(
                certificates: own, timeout: configuration.http.headerTimeout.timeAmount, holdsBack: true,
                memory: memory, log: log)
            let socket = sockets.place(for: "https", at: https)
            let listener = try await StartFailure.listening("https.listen", https) { try await bind(socket, tls) }
            logger.info("listening for HTTPS", metadata: ["address": "\(https.host):\(listener.port)"])
            listeners.append(listener)
        }
        sockets.closeRest(logger: logger)
        let patience = Patience(
            replacement: replacement, drain: configuration.server.drainTimeout,
            upgrade: configuration.server.upgradeTimeout)
        self.replacement = ReplacementService(
            replacement: replacement, pushes: pushes,
            sockets: { [servers, listeners] in
                var sockets: [(name: String, descriptor: CInt)] = []
                for (server, name) in zip(servers, ["rtmp", "rtmps"]) {
                    if let socket = await server.duplicateSocket() { sockets.append((name, socket)) }
                }
                for (listener, name) in zip(listeners, ["http", "https"]) {
                    if let socket = await listener.duplicateSocket() { sockets.append((name, socket)) }
                }
                return sockets
            }, logger: logger)
        services = [
            MemoryService(),
            Housekeeping(
                store: store, attemptRetention: configuration.storage.attemptRetention,
                eventRetention: configuration.storage.eventRetention,
                usageRetention: configuration.storage.usageRetention,
                viewerRetention: configuration.storage.viewerRetention,
                sessionTimeout: configuration.hls.sessionTimeout, logger: logger),
            AttemptReadAheadService(store: store, limit: configuration.limits.memory / 2, logger: logger),
            UsageService(usage: usage, viewers: viewers),
            AdmissionService(admissions: admissions),
            CertificateService(certificates: certificates),
            DeletedAccounts(
                deletions: { try await store.deletedAccounts(after: $0) }, stage: stage, admissions: admissions,
                pushes: pushes, outputs: outputs, logger: logger),
            SavedStateService { await saved?.write(outputs: outputs, admissions: admissions) },
            RTMPService(
                servers: servers, stage: stage, pushes: pushes, outputs: saved == nil ? nil : outputs,
                patience: patience, logger: logger),
            HTTPService(listeners: listeners, readiness: readiness, outputs: outputs, patience: patience),
        ]
    }

    /// After the services have ended.
    func close() async {
        await events.flush()
        try? await store.close()
        try? await threads.shutdownGracefully()
        try? await group.shutdownGracefully()
    }
}

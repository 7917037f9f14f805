import Basics
import Logging
import ServiceLifecycle
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Origin

/// Runs an origin with nothing on air, on ports of its own, and ends it as the program does.
/// - Parameter body: gets it, its port for HTTP, and what it logs.
func withOrigin(_ body: (Origin, _ port: Int, LogLines) async throws -> Void) async throws {
    let folder = try Folder()
    var configuration = PlayhouseConfiguration()
    configuration.storage.path = folder.file("data")
    configuration.http.listen = HostPort(host: "127.0.0.1", port: 0)
    configuration.rtmp.listen = HostPort(host: "127.0.0.1", port: 0)
    configuration.server.publicHost = "127.0.0.1"
    // Nobody is closed because this machine has much else to do.
    let long = Duration.seconds(600)
    configuration.server.drainTimeout = long
    configuration.http.idleTimeout = long
    configuration.http.headerTimeout = long
    configuration.http.bodyTimeout = long
    configuration.http.sendTimeout = long
    let log = LogLines()
    let origin = try await Origin(
        configuration: configuration, logger: Logger(label: "test") { _ in log }, patience: long)
    let started = Started()
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let group = ServiceGroup(services: [started] + origin.services, logger: quiet)
    let running = Task { try await group.run() }
    var failure: (any Error)?
    do {
        try await eventually("the services") { started.isRunning }
        let line = try #require(log.lines.first { $0.contains("listening for HTTP") })
        let port = try #require(line.firstMatch(of: /127\.0\.0\.1:([0-9]+)/).flatMap { Int($0.1) })
        try await body(origin, port, log)
    } catch {
        failure = error
    }
    await group.triggerGracefulShutdown()
    try await running.value
    await origin.close()
    if let failure { throw failure }
}

/// Says that the services of its group have begun.
private final class Started: Service {
    private let state = Mutex(false)
    var isRunning: Bool { state.withLock { $0 } }

    func run() async throws {
        state.withLock { $0 = true }
        try? await gracefulShutdown()
    }
}

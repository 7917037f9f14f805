import Basics
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import Settings

/// A running origin, from configuration to the last connection's end.
public struct OriginServer: Sendable {
    public let configuration: PlayhouseConfiguration

    public init(configuration: PlayhouseConfiguration) {
        self.configuration = configuration
    }

    /// Of what a server leaves for the one that comes next. One of another version does not go on with it.
    public static let stateVersion = SavedState.version

    /// Runs until SIGTERM or SIGINT, then drains (`server.drain_timeout`); a second signal ends it at once. After SIGUSR2 it drains
    /// as well, and the program that stands then where this one was started from goes on in its place.
    public func run() async throws {
        ProcessLimits.apply()
        let sockets = InheritedSockets()
        let writer = LogWriter()
        let logger = makeLogger(writer)
        // What the log holds comes before what the command says of its end.
        defer { writer.flush(within: 2) }
        let replacement = Replacement(command: CommandLine.arguments, isAwaited: sockets.areAwaited)
        let origin = try await Origin(
            configuration: configuration, logger: logger, sockets: sockets, replacement: replacement)
        var group = ServiceGroupConfiguration(
            services: origin.services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.services.append(
            .init(service: origin.replacement, successTerminationBehavior: .gracefullyShutdownGroup))
        // Past the drain's own time-out something hangs; then the process ends all the same.
        group.maximumGracefulShutdownDuration = configuration.server.drainTimeout + .seconds(10)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            await origin.close()
            throw error
        }
        await origin.close()
        replacement.replace(logger: logger)
        logger.info("stopped")
    }

    private func makeLogger(_ writer: LogWriter) -> Logger {
        let log = configuration.log
        return Logger(label: "playhouse") { _ in
            LineLogHandler(format: log.format, level: log.level, writer: writer)
        }
    }
}

/// Why an origin cannot start: one sentence for the operator.
public struct StartFailure: Error, Sendable, CustomStringConvertible {
    public let description: String

    /// Binds a listener; a failure names the key, the address, and what can be done.
    static func listening<Listener: Sendable>(
        _ key: String, _ address: HostPort, _ bind: @Sendable () async throws -> Listener
    ) async throws -> Listener {
        do {
            return try await bind()
        } catch {
            throw StartFailure(description: "\(key) \(address): \(reason(error, port: address.port))")
        }
    }

    private static func reason(_ error: any Error, port: Int) -> String {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: "another program listens there (ss -ltnp)"
        case EADDRNOTAVAIL: "this machine has no such address (ip addr)"
        case EACCES where port < 1_024:
            "uid \(getuid()) may not listen on ports below 1024 (CAP_NET_BIND_SERVICE, or another port)"
        default: SystemError.text(of: error)
        }
    }
}

import Foundation
import Logging
import ServiceLifecycle
import Settings

/// A running origin, from configuration to the last connection's end.
public struct OriginServer: Sendable {
    public let configuration: PlayhouseConfiguration

    public init(configuration: PlayhouseConfiguration) {
        self.configuration = configuration
    }

    /// Runs until SIGTERM or SIGINT, then drains (`server.drain_timeout`); a second signal ends it at once.
    public func run() async throws {
        ProcessLimits.apply()
        let logger = makeLogger()
        let origin = try await Origin(configuration: configuration, logger: logger)
        var group = ServiceGroupConfiguration(
            services: origin.services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // Past the drain's own time-out something hangs; then the process ends all the same.
        group.maximumGracefulShutdownDuration = configuration.server.drainTimeout + .seconds(10)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            await origin.close()
            throw error
        }
        await origin.close()
        logger.info("stopped")
    }

    private func makeLogger() -> Logger {
        let writer = LogWriter()
        let log = configuration.log
        return Logger(label: "playhouse") { _ in
            LineLogHandler(format: log.format, level: log.level, writer: writer)
        }
    }
}

/// Why an origin cannot start: one sentence for the operator.
public struct StartFailure: Error, Sendable, CustomStringConvertible {
    public let description: String
}

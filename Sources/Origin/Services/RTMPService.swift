import Live
import Logging
import NIOCore
import PushPublish
import RTMPServer
import ServiceLifecycle
import Synchronization

/// The RTMP listener as a service: accepts until the origin shuts down, then says goodbye in order.
struct RTMPService: Service {
    let listener: RTMPListener
    let stage: Stage
    let pushes: PushSupervisor
    let registry: RTMPConnectionRegistry
    /// `server.drain_timeout`.
    let drainTimeout: Duration
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        await drain()
    }

    /// No new connections; pushes end first, so that their far ends hear an orderly end; then everybody is told, streams
    /// end, and who does not go is closed.
    private func drain() async {
        await listener.close()
        await pushes.drain()
        let connections = registry.all
        for connection in connections { connection.drainForShutdown() }
        await stage.drain()
        let clock = ContinuousClock()
        let deadline = clock.now + drainTimeout
        for connection in connections where !connection.isAskedToReconnect.load(ordering: .relaxed) {
            connection.closeForShutdown()
        }
        while !registry.isEmpty, clock.now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        for connection in registry.all { connection.closeForShutdown() }
        logger.info("RTMP drained", metadata: ["connections": "\(connections.count)"])
    }
}

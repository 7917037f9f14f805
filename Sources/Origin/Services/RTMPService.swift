import Live
import Logging
import PushPublish
import RTMPServer
import ServiceLifecycle

/// The RTMP server as a service: accepts until the origin shuts down, then says goodbye in order.
struct RTMPService: Service {
    let server: RTMPServer
    let stage: Stage
    let pushes: PushSupervisor
    /// `server.drain_timeout`.
    let drainTimeout: Duration
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        await drain()
    }

    /// No new connections; pushes end first, so that their destinations hear an orderly end; then everybody is told, streams
    /// end, and who does not go is closed.
    private func drain() async {
        await server.stopAccepting()
        await pushes.drain()
        await server.announceShutdown()
        await stage.drain()
        let count = await server.endConnections(within: drainTimeout)
        logger.info("RTMP drained", metadata: ["connections": "\(count)"])
    }
}

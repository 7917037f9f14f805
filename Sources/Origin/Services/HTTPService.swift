import Delivery
import ServiceLifecycle

/// The HTTP listener as a service: accepts until the origin shuts down, then lets requests in progress be answered.
struct HTTPService: Service {
    let listener: HTTPListener
    /// `server.drain_timeout`.
    let drainTimeout: Duration

    func run() async throws {
        try? await gracefulShutdown()
        await listener.drain(within: drainTimeout)
    }
}

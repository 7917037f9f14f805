import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Live
import Logging
import NIOCore
import TestSupport
import Testing

@testable import Delivery

/// A viewer at a fixed address, for requests that come through no socket.
struct TestContext: PlaybackRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress = try? SocketAddress(ipAddress: "198.51.100.7", port: 40_000)
    let localAddress = try? SocketAddress(ipAddress: "192.0.2.80", port: 80)

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
    }
}

/// Playback routes before a test stage.
struct TestPlayer {
    let test: TestStage
    let service: PlaybackService
    let admission: TestAdmission

    static let folder = "/demo-origin/live/mystream"

    init(
        isProtected: Bool, configuration: DeliveryConfiguration = DeliveryConfiguration(segmenter: TestStage.segmenter)
    ) async {
        test = await TestStage(configuration: configuration)
        admission = TestAdmission(isProtected: isProtected)
        service = PlaybackService(
            outputs: test.outputs, admission: admission, configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Asks the routes, without a socket between.
    func get(
        _ uri: String, method: HTTPRequest.Method = .get, headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        let router = Router(context: TestContext.self)
        router.get("healthz") { _, _ in "ok" }
        service.addRoutes(to: router)
        return try await Application(router: router).test(.router) { client in
            try await client.execute(uri: uri, method: method, headers: headers)
        }
    }

    /// The sample, published; `until` in milliseconds.
    func publish(until: Int64 = .max) async throws -> Publication {
        let publication = try await test.publish()
        try await test.send(FLVFile.sample(), to: publication, until: until)
        return publication
    }
}

extension TestResponse {
    var text: String { String(buffer: body) }
}

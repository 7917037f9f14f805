import Basics
import HTTPTypes
import Live
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1
import TestSupport
import Testing

@testable import Delivery

/// What a player got.
struct PlayerReply {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body: ByteBuffer

    var text: String { String(buffer: body) }
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

    /// Asks the service as a viewer at a fixed address, without a socket between.
    func get(
        _ uri: String, method: HTTPMethod = .GET, headers: HTTPFields = [:]
    ) async throws -> PlayerReply {
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: HTTPHeaders(headers))
        try #require(PlaybackService.takes(head))
        let connection = PlaybackConnection(client: IPAddress("198.51.100.7"), server: "192.0.2.80")
        let reply = await service.answer(head, over: connection)
        return PlayerReply(
            status: HTTPResponse.Status(code: Int(reply.status.code)),
            headers: HTTPFields(reply.headers, splitCookie: false), body: reply.body ?? ByteBuffer())
    }

    /// The sample, published; `until` in milliseconds.
    func publish(until: Int64 = .max) async throws -> Publication {
        let publication = try await test.publish()
        try await test.send(FLVFile.sample(), to: publication, until: until)
        return publication
    }
}

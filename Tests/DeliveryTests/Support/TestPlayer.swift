import Basics
import Foundation
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
        isProtected: Bool, configuration: DeliveryConfiguration = DeliveryConfiguration(segmenter: TestStage.segmenter),
        playerLibrary: ByteBuffer? = nil
    ) async {
        test = await TestStage(configuration: configuration)
        admission = TestAdmission(isProtected: isProtected)
        service = PlaybackService(
            outputs: test.outputs, stage: test.stage, admission: admission, configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            playerLibrary: playerLibrary)
    }

    /// Asks the service as a viewer at a fixed address, without a socket between.
    func get(
        _ uri: String, method: HTTPMethod = .GET, headers: HTTPFields = [:]
    ) async throws -> PlayerReply {
        let head = try #require(
            RequestHead(
                HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: HTTPHeaders(headers))))
        try #require(PlaybackService.takes(head.target))
        var connection = PlaybackConnection(client: IPAddress("198.51.100.7"), server: "192.0.2.80")
        let reply = await reply(of: service.answer(head, over: &connection))
        return PlayerReply(
            status: HTTPResponse.Status(code: Int(reply.status.code)), headers: try reply.fields(),
            body: reply.body ?? ByteBuffer())
    }

    private func reply(of answer: PlaybackService.Answer) async -> PlaybackReply {
        switch answer {
        case .now(let reply): return reply
        case .later(let work): return await work()
        case .held(let request):
            await withCheckedContinuation { continuation in
                _ = request.wait(on: test.loop) { continuation.resume() }
            }
            return await reply(of: request.answer())
        }
    }

    /// The sample, published; `until` in milliseconds.
    func publish(until: Int64 = .max) async throws -> Publication {
        let publication = try await test.publish()
        try await test.send(FLVFile.sample(), to: publication, until: until)
        return publication
    }
}

extension PlaybackReply {
    /// The fields, read from the bytes that go out.
    func fields() throws -> HTTPFields {
        let lines = String(buffer: head).components(separatedBy: "\r\n").dropLast()
        try #require(lines.first == "HTTP/1.1 \(status.code) \(status.reasonPhrase)")
        var fields = HTTPFields()
        for line in lines.dropFirst() {
            let colon = try #require(line.range(of: ": "))
            let name = try #require(HTTPField.Name(String(line[..<colon.lowerBound])))
            fields.append(HTTPField(name: name, value: String(line[colon.upperBound...])))
        }
        return fields
    }
}

import NIOCore
import Testing

@testable import RTMP

struct LoopbackTests {
    static let configuration = ClientConfiguration(
        purpose: .publish, app: "cust-live/play", stream: "cam?key=k", tcURL: "rtmp://h/cust-live/play")

    static func messages() -> [(RTMPMessageType, UInt32, ByteBuffer)] {
        [
            (.video, 0, hex("17 00 000000 01640009")), (.audio, 0, hex("AF 00 1210")),
            (.video, 0, ByteBuffer(repeating: 0x17, count: 70_000)), (.audio, 23, hex("AF 01 AA")),
            (.video, 0xFF_FFFF, ByteBuffer(repeating: 0x27, count: 300)), (.video, 0xFFFF_FFFF, ByteBuffer()),
        ]
    }

    /// Publishes and ends, and gives what came of it.
    static func publish(_ split: @escaping (ByteBuffer) -> [ByteBuffer]) throws -> Loopback {
        var loop = Loopback(configuration)
        loop.split = split
        #expect(loop.client.send(.video, timestamp: 0, body: ByteBuffer()) == false)
        try loop.run()
        loop.client.send(
            metadata: RTMPDataMessage(streamID: 1, name: "onMetaData", values: [.ecmaArray(["width": 160])]).body)
        for (type, timestamp, body) in messages() {
            loop.client.send(type, timestamp: timestamp, body: body)
        }
        try loop.run()
        loop.client.stop()
        try loop.run()
        return loop
    }

    static func expectPublished(_ loop: Loopback, _ comment: Comment) {
        #expect(loop.clientEvents == [.connected, .publishing(streamID: 1)], comment)
        guard loop.serverEvents.count == 10, case .connectRequested(let connect) = loop.serverEvents[0] else {
            Issue.record("\(loop.serverEvents.count) events")
            return
        }
        #expect(connect.app == "cust-live/play")
        #expect(connect.isPublisher)
        #expect(
            loop.serverEvents[1]
                == .publishRequested(PublishRequest(streamID: 1, name: StreamName("cam?key=k"), kind: .live)))
        guard case .metadata(let data) = loop.serverEvents[2] else {
            Issue.record("no metadata")
            return
        }
        #expect(data.metadata == ["width": 160])
        let media = messages().map { type, timestamp, body in
            ServerEvent.media(
                MediaMessage(streamID: 1, timestamp: timestamp, isVideo: type == .video, body: body))
        }
        #expect(Array(loop.serverEvents[3..<9]) == media, comment)
        #expect(loop.serverEvents[9] == .unpublished(streamID: 1))
    }

    @Test(
        "Publishing works with bytes that come in pieces of any size",
        arguments: [1, 2, 3, 13, 127, 1_536, 65_536, 1_000_000])
    func publishingInPiecesOf(size: Int) throws {
        LoopbackTests.expectPublished(try LoopbackTests.publish { pieces($0, of: size) }, "pieces of \(size)")
    }

    @Test("Publishing works with bytes that come in random pieces", arguments: 1...20)
    func publishingInRandomPieces(seed: UInt64) throws {
        var random = TestRandom(seed)
        LoopbackTests.expectPublished(try LoopbackTests.publish { pieces($0, upTo: 5_000, &random) }, "seed \(seed)")
    }

    @Test("Playing works between the client's and the server's session", arguments: [1, 17, 1_000_000])
    func playing(size: Int) throws {
        var configuration = LoopbackTests.configuration
        configuration.purpose = .play
        var loop = Loopback(configuration)
        loop.split = { pieces($0, of: size) }
        try loop.run()
        #expect(loop.client.isRunning)
        loop.clientEvents = []
        let metadata = RTMPDataMessage(streamID: 1, name: "onMetaData", values: [.ecmaArray(["width": 160])])
        loop.server.send(.dataAMF0, timestamp: 0, body: metadata.body, streamID: 1)
        // Shared chunks go to the socket beside the session's own bytes.
        var shared = ByteBuffer()
        for (type, timestamp, body) in LoopbackTests.messages() {
            SharedChunks.encode(type, timestamp: timestamp, messageStreamID: 1, body: body, into: &shared)
        }
        try loop.run()
        try loop.give(toClient: shared)
        let media = LoopbackTests.messages().map { type, timestamp, body in
            ClientEvent.media(
                MediaMessage(streamID: 1, timestamp: timestamp, isVideo: type == .video, body: body))
        }
        #expect(loop.clientEvents == [.metadata(metadata)] + media)
        loop.clientEvents = []
        loop.server.notify(.unpublished, streamID: 1)
        loop.server.notify(.published, streamID: 1)
        loop.server.notify(.ended, streamID: 1)
        try loop.run()
        #expect(loop.clientEvents.prefix(2) == [.published(false), .published(true)])
        guard case .closed(let status) = loop.clientEvents.last else {
            Issue.record("not closed")
            return
        }
        #expect(status.code == "NetStream.Play.Stop")
    }

    @Test("Enhanced clients learn what the server can do and are asked to reconnect")
    func enhancedClientsLearnWhatTheServerCanDoAndAreAskedToReconnect() throws {
        var configuration = LoopbackTests.configuration
        configuration.profile.isEnhanced = true
        var loop = Loopback(configuration)
        try loop.run()
        #expect(loop.client.serverCapabilities == [.reconnect, .modEx, .timestampNanoseconds])
        loop.clientEvents = []
        loop.server.requestReconnect(tcURL: "rtmp://b/x", description: "Restart.")
        try loop.run()
        #expect(loop.clientEvents == [.reconnectRequested(tcURL: "rtmp://b/x")])
        #expect(loop.client.isRunning)
    }

    @Test("Adobe's authentication takes three connections")
    func adobeAuthenticationOverThreeConnections() throws {
        var configuration = LoopbackTests.configuration
        configuration.credentials = .init(user: "bob", password: "s3cret")
        let verifier = AdobeAuthentication.verifier(user: "bob", salt: "abcd", password: "s3cret")
        for step in 0..<3 {
            var loop = Loopback(configuration)
            loop.answer = { server, event in
                guard case .connectRequested(let request) = event else {
                    return Loopback.acceptEverything(&server, event)
                }
                let parameters = request.path.parameters
                if let response = parameters["response"] {
                    let isRight = AdobeAuthentication.verify(
                        response: response, verifier: verifier, challenge: "0f", opaque: "0f",
                        clientChallenge: parameters["challenge"] ?? "")
                    #expect(isRight)
                    server.acceptConnect()
                } else if parameters["authmod"] == "adobe" {
                    server.rejectConnect(
                        description: AdobeAuthentication.Rejection.challenge(
                            user: parameters["user"] ?? "", salt: "abcd", challenge: "0f", opaque: "0f"
                        ).description)
                } else {
                    server.rejectConnect(description: AdobeAuthentication.Rejection.needAuthentication.description)
                }
            }
            try loop.run()
            if step == 2 {
                #expect(loop.clientEvents == [.connected, .publishing(streamID: 1)])
            } else {
                guard case .reconnectWithAuthentication(let query) = loop.clientEvents.first else {
                    Issue.record("step \(step): \(loop.clientEvents)")
                    return
                }
                configuration.authenticationQuery = query
            }
        }
    }
}

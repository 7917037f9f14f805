import Admission
import Hummingbird
import Live
import Logging
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Delivery

/// What counts as delivered to viewers.
@Suite struct DeliveredBodiesTests {
    @Test("Event loops use all the counters there are")
    func stripes() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 64)
        let stripes = Set(group.makeIterator().map { DeliveryMeter.stripe(of: $0) })
        #expect(stripes == [0, 1, 2, 3])
        try await group.shutdownGracefully()
    }

    /// Serves a stream that has a large segment.
    private func serve(
        _ body: (_ listener: HTTPListener, _ player: TestPlayer, _ segment: String, _ length: Int) async throws -> Void
    ) async throws {
        let player = await TestPlayer(isProtected: false)
        let publication = try await player.test.publish()
        var filler = ByteBuffer()
        // Filler data (H.264, 7.4.2.7): nothing but size.
        filler.writeInteger(UInt32(Self.fillerLength))
        filler.writeInteger(UInt8(12))
        filler.writeRepeatingByte(0xFF, count: Self.fillerLength - 1)
        let tags = try FLVFile.sample().tags
        let keyframe = tags.last { $0.isKeyframe && $0.timestamp == 7_000 }
        for tag in tags {
            var bytes = tag.body
            if tag == keyframe { bytes.writeImmutableBuffer(filler) }
            publication.send(
                StreamSample(tag.type == .video ? .video : .audio, timestamp: tag.timestamp, body: bytes))
        }
        try await player.test.end(publication)
        let segment = try #require(segments(in: player.test.mediaPlaylist()).last)
        let length = try await player.get("\(TestPlayer.folder)/\(segment)").body.readableBytes
        try #require(length > Self.fillerLength)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let router = Router(context: ConnectionRequestContext.self)
        let listener = try await HTTPListener.bind(
            on: .address(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton, gate: nil,
            limits: HTTPLimits(), memory: HTTPMemory(budget: MemoryBudget(ceiling: 1 << 30), maximumBodies: 1 << 20),
            playback: player.service, responder: router.buildResponder(), log: LogLimiter(logger: logger),
            logger: logger)
        #expect(player.test.delivered() == 0)
        do {
            try await body(listener, player, segment, length)
        } catch {
            await listener.drain(within: .zero)
            throw error
        }
        await listener.drain(within: .zero)
    }

    private static let fillerLength = 24 << 20

    @Test("What a client takes counts to the byte, however large, and HEAD, refusals and what was not modified do not")
    func wholeBodies() async throws {
        try await serve { listener, player, segment, length in
            let url = "http://127.0.0.1:\(listener.port)\(TestPlayer.folder)/\(segment)"
            // curl hangs up as soon as it has all.
            let result = try await ForeignProgram.run(["curl", "-s", "-o", "/dev/null", "-w", "%{size_download}", url])
            #expect(result.text == "\(length)")
            _ = try await ForeignProgram.run(["curl", "-s", "-I", url])
            _ = try await ForeignProgram.run(["curl", "-s", url + "x"])
            let tag = try await Fetched.get(url, "-r", "5-24").headers["etag"] ?? ""
            _ = try await ForeignProgram.run(["curl", "-s", "-H", "If-None-Match: \(tag)", url])
            player.admission.set { $0.isProtected = true }
            _ = try await ForeignProgram.run(["curl", "-s", url])
            try await eventually("the end of the connections") { listener.connectionCount == 0 }
            #expect(player.test.delivered() == length + 20)
        }
    }

    @Test("What a client had not taken when it went away does not count")
    func brokenOff() async throws {
        try await serve { listener, player, segment, length in
            let client = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.autoRead, value: false)
                .connect(host: "127.0.0.1", port: listener.port).get()
            let request = "GET \(TestPlayer.folder)/\(segment) HTTP/1.1\r\nHost: a\r\n\r\n"
            try await client.writeAndFlush(ByteBuffer(string: request))
            var counted = 0
            try await eventually("the response") {
                counted += player.test.delivered()
                return counted > 0
            }
            #expect(counted == length)
            try await client.close()
            try await eventually("the end of the connection") { listener.connectionCount == 0 }
            counted += player.test.delivered()
            // What the system holds on both sides of a connection was sent, as far as anybody can tell here.
            #expect(counted > 0 && counted < length - (8 << 20), "\(counted)")
        }
    }
}

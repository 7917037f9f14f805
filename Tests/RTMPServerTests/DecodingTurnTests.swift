import Basics
import Live
import Media
import NIOCore
import NIOEmbedded
import RTMP
import Synchronization
import Testing
import TestSupport

@testable import RTMPServer

/// A connection on an event loop that runs when it is told to.
@Suite("Turns of decoding") struct DecodingTurnTests {
    /// Counts what packagers get of a stream.
    private final class Samples: StreamPackager {
        private let samples = Atomic<Int>(0)
        var count: Int { samples.load(ordering: .relaxed) }

        func receive(_ sample: StreamSample, wallClock: Int64) { samples.wrappingAdd(1, ordering: .relaxed) }
        func tracksChanged(_ tracks: TrackSet) {}
        func discontinuity() {}
        func publisherLost() {}
        func streamEnded() {}
    }

    /// Stands before the connection and counts the reads that get through it.
    private final class Reads: ChannelOutboundHandler, Sendable {
        typealias OutboundIn = ByteBuffer
        private let reads = Atomic<Int>(0)
        var count: Int { reads.load(ordering: .relaxed) }

        func read(context: ChannelHandlerContext) {
            reads.wrappingAdd(1, ordering: .relaxed)
            context.read()
        }
    }

    @Test("Of a thousand messages that came in one read, an event loop handles 256 before its other connections' turn")
    func turns() async throws {
        try await ServerScene.run { scene in
            let loop = NIOAsyncTestingEventLoop()
            let channel = NIOAsyncTestingChannel(loop: loop)
            let connection = RTMPConnection(
                channel, environment: scene.environment, connections: RTMPConnections(), gate: nil)
            let reads = Reads()
            try await channel.pipeline.addHandlers([reads, connection])
            try await channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).get()
            try await channel.writeInbound(BlockingPeer.publishing("turns"))
            var hub: StreamHub?
            try await eventually("the stream") {
                await loop.run()
                hub = await scene.stage.hub(at: StreamAddress(app: "demo-origin", instance: "live", stream: "turns"))
                return hub != nil
            }
            // The encoder sends when it has been told to.
            try await eventually("Publish.Start") {
                await loop.run()
                while let reply = try await channel.readOutbound(as: ByteBuffer.self) {
                    if String(buffer: reply).contains("NetStream.Publish.Start") { return true }
                }
                return false
            }
            let samples = Samples()
            hub?.attach(samples)
            await loop.run()
            let audio = TestPeer.bytes(RTMPMessage(type: .audio, streamID: 1, body: ByteBuffer(bytes: [0xAF, 1, 0])))
            var received = ByteBuffer()
            for _ in 0..<1_000 { received.writeImmutableBuffer(audio) }
            try await channel.writeInbound(received)
            #expect(samples.count == 256)
            let before = reads.count
            let others = Atomic<Int>(0)
            try await loop.executeInContext {
                // The socket is read no further while there is something to decode.
                channel.pipeline.read()
                #expect(reads.count == before)
                loop.execute { others.store(samples.count, ordering: .relaxed) }
            }
            await loop.run()
            #expect(others.load(ordering: .relaxed) == 512)
            #expect(samples.count == 1_000)
            #expect(reads.count == before + 1)
            _ = try await channel.finish(acceptAlreadyClosed: true)
            await loop.shutdownGracefully()
        }
    }
}

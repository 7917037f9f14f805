import Basics
import Foundation
import Live
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import RTMP
import Synchronization
import TestSupport
import Testing

@testable import PushPublish

/// What a feed makes of a destination that acknowledges, or does not, in virtual time.
@Suite(.timeLimit(.minutes(1))) struct PushFeedTests {
    @Test("A source that is silent for an hour is no failure when everything sent was acknowledged")
    func silence() async throws {
        let bench = try await Bench()
        try await bench.begin()
        try await bench.sendKeyframe()
        try await bench.pass(.milliseconds(50))
        #expect(bench.told == ["flowing"])
        try await bench.pass(.hours(1))
        #expect(bench.told == ["flowing"])
        try await bench.end()
    }

    @Test(
        "A destination that acknowledges nothing while bytes wait is given up after the send time-out, and not before")
    func wedged() async throws {
        let bench = try await Bench()
        try await bench.begin()
        try await bench.sendKeyframe()
        try await bench.pass(.seconds(5))
        bench.acknowledgeNoMore()
        try await bench.sendKeyframe()
        try await bench.pass(.seconds(9))
        #expect(bench.told == ["flowing"])
        try await bench.pass(.seconds(3))
        #expect(bench.told == ["flowing", "failed wedged"])
        // Whatever comes afterwards is not told any more.
        try await bench.pass(.hours(1))
        #expect(bench.told.count == 2)
        try await bench.end()
    }

    @Test("The encoder's own metadata message goes out before any media")
    func metadataFirst() async throws {
        let bench = try await Bench()
        var body = ByteBuffer()
        AMF0Encoder.encode("onMetaData", into: &body)
        AMF0Encoder.encode(.ecmaArray(["width": 640]), into: &body)
        bench.publication.send(StreamSample(.data, timestamp: 0, body: body, metadata: .ecmaArray(["width": 640])))
        bench.publication.readComplete()
        // The stream has a keyframe to start on already.
        bench.publishKeyframe()
        try await bench.begin(awaitsMetadata: true)
        try await bench.sendKeyframe()
        let metadata = bench.metadata
        #expect(metadata.map(\.body) == [body])
        #expect(metadata.map(\.before) == [0])
        try await bench.end()
    }
}

/// A hub with a publisher, and a feed to a channel whose peer acknowledges what the test says.
private final class Bench: Sendable {
    private struct State {
        var told: [String] = []
        var metadata: [(body: ByteBuffer, before: Int64)] = []
        var handedOver: Int64 = 0
        /// What was acknowledged when the peer stopped; nil while it acknowledges everything at once.
        var stopped: Int64?
    }

    let publication: Publication
    private let stage: Stage
    private let channel: NIOAsyncTestingChannel
    private let feed: PushFeed
    private let state: Shared

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    /// Tells the test what the meter has counted, after each write.
    private final class Counter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        let shared: Shared

        init(_ shared: Shared) { self.shared = shared }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            let size = Int64(unwrapOutboundIn(data).readableBytes)
            shared.state.withLock { $0.handedOver += size }
            context.write(data, promise: promise)
        }
    }

    init() async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        stage = Stage(memory: MemoryBudget(ceiling: 1 << 30), logger: logger)
        let publisher = Publisher(
            info: PublisherInfo(
                address: "192.0.2.1", software: "test", transport: "rtmp", user: "", connected: Date()),
            disconnect: { _ in })
        let address = StreamAddress(app: "demo-origin", instance: "live", stream: "s")
        publication = try await stage.publish(
            address, accountID: 158, settings: HubSettings(), publisher: publisher,
            on: MultiThreadedEventLoopGroup.singleton.any())
        publication.send(StreamSample(.video, timestamp: 0, body: TestPublisher.header))
        publication.readComplete()
        let channel = NIOAsyncTestingChannel()
        self.channel = channel
        let hub = try #require(await stage.hub(at: address))
        let shared = Shared()
        state = shared
        feed = try await channel.testingEventLoop.executeInContext {
            try channel.pipeline.syncOperations.addHandlers([Counter(shared), ByteMeter()])
            return PushFeed(
                hub: hub, channel: channel, messageStreamID: 1, sendTimeout: .seconds(10),
                progress: { channel in
                    channel.eventLoop.makeSucceededFuture(shared.state.withLock { $0.stopped ?? $0.handedOver })
                },
                sendMetadata: { body in
                    shared.state.withLock { $0.metadata.append((body, $0.handedOver)) }
                },
                tell: { event in
                    let text =
                        switch event {
                        case .flowing: "flowing"
                        case .failed(let failure): "failed \(failure.code)"
                        case .sourceEnded: "source ended"
                        }
                    shared.state.withLock { $0.told.append(text) }
                })
        }
    }

    var told: [String] { state.state.withLock { $0.told } }
    var metadata: [(body: ByteBuffer, before: Int64)] { state.state.withLock { $0.metadata } }
    private var handedOver: Int64 { state.state.withLock { $0.handedOver } }

    func begin(awaitsMetadata: Bool = false) async throws {
        let feed = feed
        try await channel.testingEventLoop.executeInContext { feed.start() }
        if awaitsMetadata { try await eventually("metadata") { !self.metadata.isEmpty } }
    }

    /// Sends one, and waits until the channel has it: a feed that joins later starts on it.
    func sendKeyframe() async throws {
        let before = handedOver
        let size = publishKeyframe()
        try await eventually("the keyframe is handed over") { handedOver >= before + size }
    }

    /// - Returns: the bytes of its body.
    @discardableResult
    func publishKeyframe() -> Int64 {
        var body = ByteBuffer(bytes: [0x17, 1, 0, 0, 0])
        body.writeInteger(UInt32(100))
        body.writeInteger(UInt8(0x65))
        body.writeRepeatingByte(0x5A, count: 99)
        publication.send(StreamSample(.video, timestamp: 0, body: body))
        publication.readComplete()
        return Int64(body.readableBytes)
    }

    func acknowledgeNoMore() {
        state.state.withLock { $0.stopped = $0.handedOver }
    }

    func pass(_ time: TimeAmount) async throws {
        await channel.testingEventLoop.advanceTime(by: time)
    }

    func end() async throws {
        let feed = feed
        try await channel.testingEventLoop.executeInContext { feed.stop() }
        await stage.drain()
        _ = try? await channel.finish()
    }
}

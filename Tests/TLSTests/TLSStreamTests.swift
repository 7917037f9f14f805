import Admission
import Basics
import Foundation
import Live
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization
import TestSupport
import Testing

@testable import TLS

/// Connections of the TLS library's own client with a server that answers each byte with a body.
@Suite(.timeLimit(.minutes(2))) struct TLSStreamTests {
    /// Answers whatever comes with a body, then ends its side; notes what its stream said on the way.
    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let body: ByteBuffer
        private let stream: TLSStream
        private let note: @Sendable (_ waiting: Int, _ buffered: Int) -> Void

        init(_ body: ByteBuffer, _ stream: TLSStream, _ note: @escaping @Sendable (Int, Int) -> Void) {
            self.body = body
            self.stream = stream
            self.note = note
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(wrapOutboundOut(body), promise: nil)
            note(stream.waiting, (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0)
            context.close(mode: .output, promise: nil)
        }
    }

    /// Counts what comes and how the connection ends.
    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        let notes: Notes

        init(_ notes: Notes) { self.notes = notes }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            notes.state.withLock { $0.received += bytes.readableBytes }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { notes.state.withLock { $0.hasEnded = true } }
            guard case TLSUserEvent.handshakeCompleted = event else { return }
            try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            notes.state.withLock { $0.errors.append("\(error)") }
        }
    }

    private final class Notes: Sendable {
        struct State: Sendable {
            var received = 0
            var hasEnded = false
            var errors: [String] = []
            var isAnswered = false
            var waiting = 0
            var buffered = 0
        }
        let state = Mutex(State())
    }

    private struct Scene {
        let memory = MemoryBudget(ceiling: 1 << 30)
        let log = CapturedLog()
        let notes = Notes()
        let server: any Channel

        init(holdsBack: Bool, timeout: TimeAmount = .seconds(600), in folder: Folder) async throws {
            let own = try await TestCertificate("own", in: folder)
            let certificates = try ServerCertificates(
                group: "https", files: [CertificateFiles(certificate: own.certificate, key: own.key)],
                logger: log.logger)
            let environment = TLSEnvironment(
                certificates: certificates, timeout: timeout, holdsBack: holdsBack, memory: memory,
                log: LogLimiter(logger: log.logger))
            let body = ByteBuffer(repeating: 0x55, count: 8 << 20)
            server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .childChannelInitializer { [notes] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let stream = try environment.add(to: channel)
                        try channel.pipeline.syncOperations.addHandler(
                            Answerer(body, stream) { waiting, buffered in
                                notes.state.withLock {
                                    ($0.isAnswered, $0.waiting, $0.buffered) = (true, waiting, buffered)
                                }
                            })
                    }
                }
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .bind(host: "127.0.0.1", port: 0).get()
        }

        /// A client that reads only from when the server has written its answer on.
        func connect() async throws -> any Channel {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            let context = try NIOSSLContext(configuration: configuration)
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .channelInitializer { [notes] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            NIOSSLClientHandler(context: context, serverHostname: nil), Reader(notes))
                    }
                }
                .connect(host: "127.0.0.1", port: server.localAddress?.port ?? 0).get()
        }

        func read(_ client: any Channel) async throws {
            try await eventually("the answer") { notes.state.withLock { $0.isAnswered } }
            try await client.setOption(.autoRead, value: true).get()
        }
    }

    @Test(
        "A client that has ended its side gets the whole of a body before the connection ends",
        arguments: [true, false])
    func halfClosed(holdsBack: Bool) async throws {
        let folder = try Folder()
        let scene = try await Scene(holdsBack: holdsBack, in: folder)
        let client = try await scene.connect()
        try await client.writeAndFlush(ByteBuffer(string: "x"))
        try await client.close(mode: .output)
        try await scene.read(client)
        try await eventually("the whole body") { scene.notes.state.withLock { $0.received == 8 << 20 } }
        try await eventually("the end") { scene.memory.used == 0 }
        try? await client.close()
        // What was held back is not copied; what is not is with the channel in whole.
        let (waiting, buffered) = scene.notes.state.withLock { ($0.waiting, $0.buffered) }
        if holdsBack {
            #expect(waiting > 0 && buffered < 256 << 10)
            #expect(waiting + buffered < 8 << 20 + 64 << 10)
        } else {
            #expect(waiting == 0)
        }
        #expect(scene.log.texts.isEmpty)
        try await scene.server.close()
    }

    @Test("A connection is counted while it is there, and a client that only listens to the end hears it")
    func counted() async throws {
        let folder = try Folder()
        let scene = try await Scene(holdsBack: true, in: folder)
        let client = try await scene.connect()
        try await client.writeAndFlush(ByteBuffer(string: "x"))
        try await scene.read(client)
        try await eventually("the body and its end") {
            scene.notes.state.withLock { $0.received == 8 << 20 && $0.hasEnded }
        }
        try await eventually("nothing that waits") { scene.memory.used == TLSStream.heldBytes }
        try await client.close()
        try await eventually("the end") { scene.memory.used == 0 }
        #expect(scene.notes.state.withLock { $0.errors.isEmpty })
        try await scene.server.close()
    }

    @Test("So many handshakes of a network may be under way, and so many in all")
    func handshakes() throws {
        let limit = HandshakeLimit()
        let networks = (0..<20).map { "192.0.2.\($0)" }.compactMap { IPNetwork($0) }
        for _ in 0..<HandshakeLimit.perNetwork { #expect(limit.enter(networks[0])) }
        #expect(!limit.enter(networks[0]))
        limit.leave(networks[0])
        #expect(limit.enter(networks[0]))
        for network in networks[1...7] {
            for _ in 0..<HandshakeLimit.perNetwork { #expect(limit.enter(network)) }
        }
        #expect(!limit.enter(networks[8]) && !limit.enter(nil))
        limit.leave(networks[3])
        #expect(limit.enter(nil) && !limit.enter(networks[8]))
    }
}

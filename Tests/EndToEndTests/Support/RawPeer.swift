import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// A socket that sends whatever it is told, and notes what comes back.
final class RawPeer: Sendable {
    private struct State: Sendable {
        var received: [UInt8] = []
        var isClosed = false
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let note: @Sendable (ByteBuffer?) -> Void

        init(_ note: @escaping @Sendable (ByteBuffer?) -> Void) {
            self.note = note
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { note(unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { note(nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    /// Stops reading when the handshake is done.
    private final class Deafness: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case TLSUserEvent.handshakeCompleted = event {
                try? context.channel.syncOptions?.setOption(.autoRead, value: false)
            }
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// A client that trusts everybody.
    static func tls() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        return try NIOSSLContext(configuration: configuration)
    }

    /// What the handler and the test share.
    private final class Notes: Sendable {
        let state = Mutex(State())
    }

    private let notes: Notes
    private let channel: any Channel

    private init(channel: any Channel, notes: Notes) {
        self.channel = channel
        self.notes = notes
    }

    /// - Parameters:
    ///   - reads: whether it takes what the other side sends; one that does not never sees the end either.
    ///   - address: the local address it comes from.
    ///   - tls: what it sends goes through TLS; it then does not read from the end of the handshake on.
    static func connect(
        port: Int, reads: Bool = true, from address: String = "127.0.0.1", tls: NIOSSLContext? = nil
    ) async throws -> RawPeer {
        let notes = Notes()
        var bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        if !reads {
            // A window that is full after a few KiB, whatever the kernel would give it otherwise; and what the other side
            // does not read is kept here, and not by the kernel.
            bootstrap = bootstrap.channelOption(.autoRead, value: tls != nil)
                .channelOption(.socketOption(.so_rcvbuf), value: 4_096)
                .channelOption(.socketOption(.so_sndbuf), value: 4_096)
        }
        let channel =
            try await bootstrap
            .bind(to: SocketAddress(ipAddress: address, port: 0))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil))
                        if !reads { try channel.pipeline.syncOperations.addHandler(Deafness()) }
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        Handler { bytes in
                            notes.state.withLock { state in
                                guard let bytes else {
                                    state.isClosed = true
                                    return
                                }
                                state.received.append(contentsOf: bytes.readableBytesView)
                            }
                        })
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawPeer(channel: channel, notes: notes)
    }

    deinit {
        channel.close(promise: nil)
    }

    var isClosed: Bool { notes.state.withLock { $0.isClosed } }
    var received: [UInt8] { notes.state.withLock { $0.received } }
    var text: String { String(decoding: received, as: UTF8.self) }

    /// Sends, as far as the other side takes it: who has hung up takes no more.
    func send(_ bytes: [UInt8]) async {
        try? await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// Sends without waiting until the other side takes it, which it may never do.
    /// - Returns: how much of what was offered so far has not been taken.
    @discardableResult
    func offer(_ bytes: [UInt8]) async -> Int {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        return await waiting
    }

    /// Bytes offered that the other side has not taken.
    var waiting: Int {
        get async { (try? await channel.getOption(.bufferedWritableBytes).get()) ?? 0 }
    }

    func send(_ text: String) async {
        await send(Array(text.utf8))
    }

    func close() async {
        try? await channel.close()
    }
}

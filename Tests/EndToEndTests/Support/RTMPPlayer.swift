import NIOCore
import NIOPosix
import RTMP
import Synchronization

/// An RTMP viewer of the test's own: one connection, thousands of which cost nothing. What it is told stays; media is
/// counted and dropped.
final class RTMPPlayer: Sendable {
    enum State: Sendable, Hashable {
        case connecting
        case playing
        /// By the server, with this code.
        case refused(String)
        case closed
    }

    private let handler: Handler
    private let channel: any Channel

    /// - Parameters:
    ///   - app: `app/instance`, with a query if it has one.
    ///   - stream: the name, with a query if it has one.
    init(port: Int, app: String, stream: String) async throws {
        let configuration = ClientConfiguration(
            purpose: .play, app: app, stream: stream, tcURL: "rtmp://127.0.0.1:\(port)/\(app)")
        let handler = Handler(configuration)
        self.handler = handler
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in channel.pipeline.addHandler(handler) }
            .connect(host: "127.0.0.1", port: port).get()
    }

    /// Where it stands: `playing` until the server ends it, then `closed`; `refused` for good.
    var state: State { handler.shared.withLock { $0.state } }
    /// Bytes of media that came.
    var mediaBytes: Int { handler.shared.withLock { $0.mediaBytes } }

    func close() async {
        try? await channel.close()
    }

    /// `@unchecked Sendable`: `session` is touched on the channel's event loop alone, the rest is under a lock.
    private final class Handler: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        let shared = Mutex((state: State.connecting, mediaBytes: 0))
        private var session: ClientSession

        init(_ configuration: ClientConfiguration) {
            session = ClientSession(configuration: configuration, now: .now())
        }

        func channelActive(context: ChannelHandlerContext) {
            send(context)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            do {
                try session.receive(unwrapInboundIn(data), now: .now())
                while let event = try session.nextEvent() { take(event) }
            } catch {
                context.close(promise: nil)
            }
            send(context)
        }

        func channelInactive(context: ChannelHandlerContext) {
            shared.withLock { if case .refused = $0.state {} else { $0.state = .closed } }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }

        private func take(_ event: ClientEvent) {
            shared.withLock { shared in
                switch event {
                case .playing: shared.state = .playing
                case .refused(let status) where shared.state == .connecting: shared.state = .refused(status.code)
                case .media(let message): shared.mediaBytes += message.body.readableBytes
                default: break
                }
            }
        }

        private func send(_ context: ChannelHandlerContext) {
            guard let output = session.takeOutput() else { return }
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        }
    }
}

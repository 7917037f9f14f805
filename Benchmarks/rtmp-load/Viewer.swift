import NIOCore
import RTMP

/// One RTMP viewer that plays and throws away: the session is real until it plays, then bytes are only counted, so that the
/// load on the machine is the server's.
///
/// `@unchecked Sendable`: touched on its channel's event loop alone.
final class Viewer: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var session: ClientSession
    private let counts: Counts
    private var isPlaying = false

    init(url: RTMPURL, counts: Counts) {
        session = ClientSession(configuration: ClientConfiguration(purpose: .play, url: url), now: .now())
        self.counts = counts
    }

    func channelActive(context: ChannelHandlerContext) {
        send(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        counts.add(bytes: bytes.readableBytes)
        guard !isPlaying else { return }
        do {
            try session.receive(bytes, now: .now())
            while let event = try session.nextEvent() {
                switch event {
                case .media:
                    if !isPlaying { counts.start() }
                    isPlaying = true
                case .refused, .closed: context.close(promise: nil)
                default: break
                }
            }
        } catch {
            context.close(promise: nil)
        }
        send(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isPlaying { counts.stop() }
    }

    private func send(_ context: ChannelHandlerContext) {
        if let output = session.takeOutput() {
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        }
    }
}

import Basics
import NIOCore
import NIOSSL

/// What stands between the socket and the TLS library. It looks at a client's first message, to choose the certificate, and puts
/// the library above itself; who does not speak TLS costs nothing more. Later it gathers what goes to the socket together.
final class TLSFloor: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// What has come of the client's first message, and how much there must be before it is looked at again.
        case greeting(ByteBuffer, needed: Int)
        case open
        /// The client has been answered in its own tongue. What it still sends is dropped.
        case refused
    }

    /// How long a client has to take an answer in its own tongue.
    private static let farewell = TimeAmount.seconds(1)

    weak var stream: TLSStream?
    private let environment: TLSEnvironment
    private var context: ChannelHandlerContext?
    private var phase = Phase.greeting(ByteBuffer(), needed: 1)
    private var isGathering = false
    private var isFlushWanted = false

    init(_ environment: TLSEnvironment) {
        self.environment = environment
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch phase {
        case .open: context.fireChannelRead(data)
        case .refused: break
        case .greeting(var bytes, let needed):
            phase = .greeting(ByteBuffer(), needed: needed)
            var new = unwrapInboundIn(data)
            if bytes.readableBytes == 0 { bytes = new } else { bytes.writeBuffer(&new) }
            guard bytes.readableBytes >= needed else {
                phase = .greeting(bytes, needed: needed)
                return
            }
            greet(bytes, context)
        }
    }

    private func greet(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        switch ClientHello.read(bytes) {
        case .incomplete(let needed):
            phase = .greeting(bytes, needed: needed)
        case .foreign(let foreign):
            refuse(foreign, context)
        case .hello(let hello):
            guard let library = environment.certificates.context(for: hello.serverName),
                stream?.handshakeBegan() == true
            else {
                context.close(promise: nil)
                return
            }
            phase = .open
            do {
                try context.pipeline.syncOperations.addHandler(
                    NIOSSLServerHandler(context: library), position: .after(self))
            } catch {
                context.close(promise: nil)
                return
            }
            context.fireChannelRead(wrapInboundOut(bytes))
        }
    }

    private func refuse(_ foreign: ClientHello.Foreign, _ context: ChannelHandlerContext) {
        phase = .refused
        stream?.refused()
        switch foreign {
        case .unknown:
            environment.note("the client does not speak TLS", address: context.plainAddress)
            context.close(promise: nil)
        case .rtmp:
            environment.note("the client speaks RTMP without TLS (rtmp, not rtmps)", address: context.plainAddress)
            context.close(promise: nil)
        case .http:
            environment.note("the client speaks HTTP without TLS (http, not https)", address: context.plainAddress)
            let text = "This port takes connections with TLS only (https).\n"
            let head = """
                HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n
                """
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head + text)), promise: nil)
            context.close(mode: .output, promise: nil)
            context.eventLoop.assumeIsolated().scheduleTask(in: TLSFloor.farewell) { [weak self] in
                self?.context?.close(promise: nil)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .open = phase { context.fireChannelReadComplete() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .open = phase {
        } else if event as? ChannelEvent == .inputClosed {
            // Nobody who leaves this early waits for anything.
            context.close(promise: nil)
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: What the stream above asks

    /// Closes without a word of TLS, whatever waits.
    func abort(_ promise: EventLoopPromise<Void>?) {
        guard let context else {
            promise?.succeed(())
            return
        }
        context.close(promise: promise)
    }

    /// What is flushed within goes to the socket together.
    func gather(_ body: () -> Void) {
        isGathering = true
        body()
        isGathering = false
        guard isFlushWanted else { return }
        isFlushWanted = false
        context?.flush()
    }

    func flush(context: ChannelHandlerContext) {
        if isGathering { isFlushWanted = true } else { context.flush() }
    }
}

extension ChannelHandlerContext {
    /// The peer's, without port.
    var plainAddress: String {
        remoteAddress?.ipAddress.flatMap { IPAddress($0)?.description } ?? "unknown"
    }
}

import NIOCore

/// Reads a client's bytes as they are wanted: the requests of players it takes apart itself, all else it gives to the decoder
/// above, piece by piece. What a pipelining client sends before its turn is kept as bytes and never as parsed requests, which
/// take twenty times their room, and stops the socket from being read.
///
/// A connection may begin with HTTP/2's preface (RFC 9113 §3.4), by prior knowledge or because TLS has agreed on it.
final class HTTPInputHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Few requests fit into it, and most requests do.
    private static let sliceLength = 1_024
    /// The socket is not read while anything is kept; beyond this, which only its end can bring, the peer is mad.
    private static let maximumKept = 1 << 20
    /// As far as it reads like a request's head; the rest is for who takes it.
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\n".utf8)

    private let connection: HTTPConnectionHandler
    private var context: ChannelHandlerContext?
    /// Without storage when nothing is kept: most connections are idle.
    private var kept = ByteBuffer()
    /// How much of it is known to hold no whole head; not zero: the rest of a head has to come.
    private var searched = 0
    private var hasEnded = false
    /// No request has come.
    private var isFresh = true
    private var isReadWanted = false
    private(set) var isFeeding = false

    init(connection: HTTPConnectionHandler) {
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        let rest = kept
        kept = ByteBuffer()
        // Those who have taken this one's place go on with it.
        guard rest.readableBytes > 0, context.channel.isActive else { return }
        context.fireChannelRead(wrapInboundOut(rest))
        context.fireChannelReadComplete()
    }

    /// Sends bytes past the encoder.
    func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.write(wrapOutboundOut(.byteBuffer(bytes)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !connection.isEnding else { return }
        var bytes = unwrapInboundIn(data)
        if kept.readableBytes == 0 { kept = bytes } else { kept.writeBuffer(&bytes) }
        guard kept.readableBytes <= HTTPInputHandler.maximumKept else {
            connection.end("the client sends and does not wait for answers")
            return
        }
        feed()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Nobody above asks for what is dropped.
        if connection.isEnding { context.read() }
    }

    /// What is kept waits for its turn, and not for more.
    private var isHoldingBack: Bool {
        kept.readableBytes > 0 && searched == 0
    }

    func read(context: ChannelHandlerContext) {
        if !isHoldingBack || connection.isEnding { context.read() } else { isReadWanted = true }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            connection.inputEnded()
            // The decoder says what the beginning of a head is.
            if searched > 0 { connection.addCodec() }
            feed()
            if kept.readableBytes > 0 {
                hasEnded = true
                return
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// A response has ended, or the socket takes bytes again: the next request may come.
    func resume() {
        guard let context, !isFeeding else { return }
        if connection.isEnding {
            kept = ByteBuffer()
            searched = 0
            context.read()
            return
        }
        guard isHoldingBack else { return }
        feed()
        context.fireChannelReadComplete()
    }

    private func feed() {
        guard let context, !isFeeding else { return }
        isFeeding = true
        repeat {
            while connection.takesMore, feedNext(context) {}
            connection.flushResponses()
        } while isHoldingBack && connection.takesMore
        isFeeding = false
        connection.arm()
        guard !isHoldingBack else { return }
        if hasEnded {
            hasEnded = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if isReadWanted {
            isReadWanted = false
            context.read()
        }
    }

    /// - Returns: whether there was something that is complete enough.
    private func feedNext(_ context: ChannelHandlerContext) -> Bool {
        guard kept.readableBytes > 0 else { return false }
        connection.bytesCame()
        if !connection.hasCodec {
            switch RequestHead.read(kept, searched: &searched) {
            case .incomplete:
                return false
            case .head(let head) where connection.takes(head):
                isFresh = false
                _ = takeKept(head.length)
                connection.requestCame(head)
                return true
            case .other where isFresh && kept.readableBytesView.starts(with: HTTPInputHandler.preface):
                searched = 0
                connection.becomeHTTP2()
                return false
            case .head, .other:
                connection.addCodec()
            }
        }
        searched = 0
        if let slice = takeKept(min(kept.readableBytes, HTTPInputHandler.sliceLength)) {
            context.fireChannelRead(wrapInboundOut(slice))
        }
        return true
    }

    private func takeKept(_ length: Int) -> ByteBuffer? {
        let slice = kept.readSlice(length: length)
        if kept.readableBytes == 0 { kept = ByteBuffer() }
        return slice
    }
}

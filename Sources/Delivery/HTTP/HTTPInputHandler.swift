import NIOCore

/// Stands under the HTTP decoder: gives it a client's bytes as they are wanted. What a pipelining client sends before its
/// turn is kept as bytes and never as parsed requests, which take twenty times their room, and stops the socket from being read.
final class HTTPInputHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Few requests fit into it, and most requests do.
    private static let sliceLength = 1_024
    /// The socket is not read while anything is kept; beyond this, which only its end can bring, the peer is mad.
    private static let maximumKept = 1 << 20

    private let connection: HTTPConnectionHandler
    private var context: ChannelHandlerContext?
    private var kept: ByteBuffer?
    private var hasEnded = false
    private var isReadWanted = false
    private var isFeeding = false

    init(connection: HTTPConnectionHandler) {
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        kept = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !connection.isEnding else { return }
        var bytes = unwrapInboundIn(data)
        if kept == nil { kept = bytes } else { kept?.writeBuffer(&bytes) }
        if let kept, kept.readableBytes > HTTPInputHandler.maximumKept {
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

    func read(context: ChannelHandlerContext) {
        if kept == nil || connection.isEnding { context.read() } else { isReadWanted = true }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            connection.inputEnded()
            if kept != nil {
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
            kept = nil
            context.read()
            return
        }
        guard kept != nil else { return }
        feed()
        context.fireChannelReadComplete()
    }

    private func feed() {
        guard let context, !isFeeding else { return }
        isFeeding = true
        while connection.takesMore, let slice = nextSlice() {
            connection.bytesCame()
            context.fireChannelRead(wrapInboundOut(slice))
        }
        isFeeding = false
        connection.arm()
        guard kept == nil else { return }
        if hasEnded {
            hasEnded = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if isReadWanted {
            isReadWanted = false
            context.read()
        }
    }

    private func nextSlice() -> ByteBuffer? {
        guard let length = kept?.readableBytes, length > 0 else {
            kept = nil
            return nil
        }
        let slice = kept?.readSlice(length: min(length, HTTPInputHandler.sliceLength))
        if kept?.readableBytes == 0 { kept = nil }
        return slice
    }
}

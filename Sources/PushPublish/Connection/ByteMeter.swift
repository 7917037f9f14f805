import NIOCore

/// Counts the bytes handed to the socket. First in the pipeline, below TLS.
///
/// Lives on its channel's event loop like every handler.
final class ByteMeter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Waiting in this process included.
    private(set) var handedOver: Int64 = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        handedOver &+= Int64(unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }
}

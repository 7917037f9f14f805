import NIOCore
import RTMP

/// Speaks RTMP as a publisher on one connection: carries out `ClientSession` and tells what comes of it.
///
/// Lives on its channel's event loop like every handler.
final class RTMPPushHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Event {
        /// Media may be sent on this message stream.
        case accepted(streamID: UInt32)
        /// Connect again with this query: the destination asked for a login.
        case authenticate(appQuery: String)
        /// Nothing more will come.
        case failed(PushFailure)
        case closed
    }

    private let configuration: ClientConfiguration
    private let secrets: [String]
    private let isTLS: Bool
    private let tell: (Event) -> Void
    private var session: ClientSession?
    private var context: ChannelHandlerContext?

    var channel: (any Channel)? { context?.channel }
    private var isOver = false

    /// - Parameter tell: called on the event loop; `failed` and `closed` once, and then nothing more.
    init(configuration: ClientConfiguration, secrets: [String], isTLS: Bool, tell: @escaping (Event) -> Void) {
        self.configuration = configuration
        self.secrets = secrets
        self.isTLS = isTLS
        self.tell = tell
    }

    static let publishAnswer = "answer to publish"

    /// What the destination has not answered yet, for time-out messages.
    var awaited: String {
        if session?.streamID != nil { return RTMPPushHandler.publishAnswer }
        if session?.bytesReceived ?? 0 > 0 { return "answer to connect" }
        return isTLS ? "TLS or RTMP handshake" : "RTMP handshake"
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        // TLS keeps the first bytes until its handshake is done.
        session = ClientSession(configuration: configuration, now: context.eventLoop.now)
        send(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver, session != nil else { return }
        do throws(RTMPError) {
            try session?.receive(unwrapInboundIn(data), now: context.eventLoop.now)
            while !isOver, let event = try session?.nextEvent() {
                receive(event)
            }
            send(context)
        } catch {
            finish(.failed(PushFailure(protocol: error)))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failed(PushFailure(connection: error)))
        context.close(promise: nil)
    }

    private func receive(_ event: ClientEvent) {
        switch event {
        case .publishing(let streamID):
            // What the session has to say goes out before the media that follows.
            if let context { send(context) }
            tell(.accepted(streamID: streamID))
        case .refused(let status):
            finish(.failed(PushFailure(status: status, secrets: secrets)))
        case .closed(let status):
            finish(.failed(PushFailure(status: status, secrets: secrets)))
        case .reconnectWithAuthentication(let query):
            isOver = true
            tell(.authenticate(appQuery: query))
        case .reconnectRequested:
            // To the configured address again: where the destination would like to have us has not been checked.
            finish(.failed(PushFailure(.endedByDestination, "the destination asks to be connected again")))
        case .connected, .playing, .published, .media, .metadata, .data, .status:
            break
        }
    }

    private func finish(_ event: Event) {
        guard !isOver else { return }
        isOver = true
        tell(event)
    }

    private func send(_ context: ChannelHandlerContext) {
        guard let output = session?.takeOutput() else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }

    /// `@setDataFrame`, which some destinations keep metadata only from, with the encoder's own message.
    func send(metadata: ByteBuffer) {
        guard let context, session?.send(metadata: metadata) == true else { return }
        send(context)
    }

    /// Tells the destination that the stream is over; `told` when the kernel has the bytes, or cannot have them any more.
    func unpublish(told: EventLoopPromise<Void>?) {
        isOver = true
        session?.stop()
        guard let context, let output = session?.takeOutput() else {
            told?.succeed()
            return
        }
        context.writeAndFlush(wrapOutboundOut(output), promise: told)
    }
}

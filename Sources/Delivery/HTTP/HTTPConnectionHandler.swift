import Admission
import Basics
import HTTPTypes
import Live
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import TLS

/// Carries out what `HTTPConnection` decides: one request at a time is answered. Those of players `PlaybackService` answers,
/// mostly here and now; others go up to Hummingbird, whose response comes down. Whoever takes too long or breaks the protocol is
/// answered here and closed.
///
/// Most connections are those of players, who ask for nothing else: `HTTPInputHandler` reads their requests. At the first request
/// that is for Hummingbird the codec and Hummingbird's own handler are put around this one, and all that follows on the connection
/// goes through them.
final class HTTPConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler, ReplyReceiver, StreamedResponse {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What came and has not been given on.
    private enum Item {
        case part(HTTPServerRequestPart)
        case failure(HTTPConnection.Rejection)
        case end
    }

    private let shared: HTTPShared
    private let gate: ConnectionGateHandler?
    /// nil: the connection is plain.
    private let tls: TLSStream?
    private var machine: HTTPConnection
    private var context: ChannelHandlerContext?
    private var input: HTTPInputHandler?
    /// Most connections never have one.
    private var items = CircularBuffer<Item>(initialCapacity: 1)
    /// A player's request that is not read to its end.
    private var playbackHead: RequestHead?
    /// What comes goes through the codec.
    private(set) var hasCodec = false
    private var hasUnflushed = false
    private var isGiving = false
    /// Hummingbird has been given something since it was last told that a read is complete.
    private var isReadOpen = false
    /// Both ends, and what was asked for last, once a player has asked for something.
    private var player: PlaybackConnection?
    /// The request that is being answered.
    private var exchange: HTTPExchange?
    /// The response whose body is written as it comes.
    private var streamed: (body: any StreamedBody, sink: HTTPBodySink)?
    private var written = WrittenBodies()
    private var delivered: DeliveredBodies?
    private var timer = DeadlineTimer()

    /// - Parameters:
    ///   - gate: holds the connection's place; nil: there are no limits.
    ///   - tls: what encrypts the connection; nil: nothing.
    init(_ shared: HTTPShared, gate: ConnectionGateHandler?, tls: TLSStream? = nil) {
        self.shared = shared
        self.gate = gate
        self.tls = tls
        machine = HTTPConnection(limits: shared.limits, now: .now())
    }

    /// The handler of the same connection that stands under the decoder.
    func makeInput() -> HTTPInputHandler {
        let handler = HTTPInputHandler(connection: self)
        input = handler
        return handler
    }

    // MARK: What the handler under the decoder asks

    var isEnding: Bool { machine.isEnding }

    /// The next request, or more of the one that is being read, may come.
    var takesMore: Bool {
        guard items.isEmpty else { return false }
        return machine.isReadingBody || (machine.isReadyForRequest && isWritable)
    }

    /// More may be written for the client.
    private var isWritable: Bool {
        context?.channel.isWritable ?? false && tls?.isWritable ?? true
    }

    func bytesCame() {
        machine.bytesCame(now: .now())
    }

    func inputEnded() {
        machine.inputEnded(now: .now())
        arm()
    }

    /// Whether the request is answered without the codec.
    func takes(_ head: RequestHead) -> Bool {
        shared.playback != nil && !head.isMoreThanHead && PlaybackService.takes(head.target)
    }

    /// Something came that is no player's request.
    func addCodec() {
        guard let context, !hasCodec else { return }
        hasCodec = true
        shared.addCodec(context.channel)
    }

    /// The client speaks HTTP/2: other handlers take the places of this one and of the one under the decoder, which gives them what
    /// has come.
    func becomeHTTP2() {
        guard let context, let input else { return }
        let channel = context.channel
        let pipeline = context.pipeline.syncOperations
        // First this one: the others begin to write as soon as they are there.
        pipeline.removeHandler(self, promise: nil)
        do {
            try pipeline.addHandlers(
                HTTP2Connection.handlers(shared, gate: gate, isSecure: tls != nil), position: .after(input))
            pipeline.removeHandler(input, promise: nil)
        } catch {
            channel.close(promise: nil)
        }
    }

    /// A request of a player, complete with its head.
    func requestCame(_ head: RequestHead) {
        guard let context else { return }
        if case .reject(let rejection) = machine.requestHeadCame(HTTPConnection.Head(head), now: .now()) {
            reject(rejection)
        } else if gate?.admitViewer() ?? true {
            answer(head, context)
        } else {
            reject(.noViewers)
        }
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        exchange = HTTPExchange(shared, on: context.eventLoop, for: address)
        delivered = DeliveredBodies(on: context.eventLoop)
        machine = HTTPConnection(limits: shared.limits, now: .now())
        arm()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    private func leave() {
        context = nil
        input = nil
        items.removeAll()
        timer.cancel()
        exchange?.leave()
        streamed?.body.cancel()
        streamed = nil
        written.taken(waiting: 0, in: shared.memory)
        delivered?.ended(waiting: machine.waiting)
    }

    private var address: IPAddress? {
        context?.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !machine.isEnding else { return }
        items.append(.part(unwrapInboundIn(data)))
        giveOn()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        guard !machine.isEnding else { return }
        items.append(.failure(error == .headerOverflow ? .headerTooLarge : .malformed))
        giveOn()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            guard machine.quiesce(now: .now()) else {
                // What would not end by itself ends here.
                if let (body, sink) = streamed, !body.isChunked { sink.end() }
                return
            }
            measure()
            // With nothing on its way to the client there is nothing that closing could destroy, and a player that holds the
            // connection for its next request would hold up the shutdown.
            if machine.waiting > 0 { finish() } else { context.close(promise: nil) }
        } else if event as? ChannelEvent == .inputClosed {
            items.append(.end)
            giveOn()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.fireChannelWritabilityChanged()
        guard isWritable else { return }
        measure()
        streamed?.body.writabilityChanged()
        goOn()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard isReadOpen else { return }
        isReadOpen = false
        context.fireChannelReadComplete()
    }

    /// Gives on what may be: all of the request in progress, and the next one when that has been answered.
    private func giveOn() {
        guard !isGiving else { return }
        isGiving = true
        defer { isGiving = false }
        while let item = items.first, let context {
            switch item {
            case .part(.head(let head)):
                guard machine.isReadyForRequest, isWritable else { return }
                items.removeFirst()
                start(head, context)
            case .part(.body(let bytes)):
                items.removeFirst()
                take(bytes, context)
            case .part(.end(let trailers)):
                items.removeFirst()
                machine.requestEndCame(now: .now())
                if let head = playbackHead {
                    playbackHead = nil
                    answer(head, context)
                } else {
                    giveOn(.end(trailers.map { HTTPFields($0, splitCookie: false) }), context)
                }
            case .failure(let rejection):
                guard machine.isReadingBody || machine.isReadyForRequest else { return }
                items.removeFirst()
                reject(rejection)
            case .end:
                guard !machine.isBusy || machine.isReadingBody else { return }
                items.removeFirst()
                guard hasCodec else {
                    machine.finish()
                    finish()
                    return
                }
                isReadOpen = true
                context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            }
        }
    }

    private func giveOn(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        isReadOpen = true
        context.fireChannelRead(wrapInboundOut(part))
    }

    private func start(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let verdict = machine.requestHeadCame(HTTPConnection.Head(head), now: .now())
        if case .reject(let rejection) = verdict {
            reject(rejection)
            return
        }
        var request: HTTPRequest?
        let isOfPlayers = RequestHead.Method(rawValue: head.method.rawValue) != nil
        if isOfPlayers, shared.playback != nil, PlaybackService.takes(head.uri) {
            guard let head = RequestHead(head) else {
                reject(.malformed)
                return
            }
            guard gate?.admitViewer() ?? true else {
                reject(.noViewers)
                return
            }
            playbackHead = head
        } else {
            request = try? HTTPRequest(of: head, isSecure: tls != nil)
            guard request != nil else {
                reject(.malformed)
                return
            }
        }
        if verdict == .acceptAfterContinue { sendContinue(context) }
        if let request { giveOn(.head(request), context) }
    }

    /// An interim response, which a client that did not ask for it passes over (RFC 9110 §15.2.1).
    private func sendContinue(_ context: ChannelHandlerContext) {
        input?.write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
        context.flush()
    }

    private func take(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        if let rejection = machine.requestBodyCame(bytes.readableBytes) {
            reject(rejection)
        } else if playbackHead != nil {
            // Nothing that players ask for has a body.
        } else if exchange?.take(bytes.readableBytes) ?? false {
            giveOn(.body(bytes), context)
        } else {
            reject(.overloaded)
        }
    }

    // MARK: Responses to players

    private func answer(_ head: RequestHead, _ context: ChannelHandlerContext) {
        var connection = player ?? PlaybackConnection(context, isSecure: tls != nil)
        let reply = exchange?.answer(head, over: &connection, to: self)
        player = connection
        if let reply { send(reply) }
    }

    func send(_ reply: PlaybackReply) {
        send(reply, closes: false)
    }

    private func send(_ reply: PlaybackReply, closes: Bool) {
        guard let context, let input, !machine.isEnding else {
            reply.stream?.cancel()
            return
        }
        let isChunked = reply.stream?.isChunked ?? false && machine.isVersion11
        machine.responseBegan(closes: closes || (reply.stream != nil && !isChunked))
        let date = shared.dates.now()
        if let body = reply.stream {
            write(reply, date, isChunked: isChunked, to: input)
            let sink = HTTPBodySink(self, channel: context.channel, isChunked: isChunked)
            streamed = (body, sink)
            body.start(sink)
            streamedFlush()
            return
        }
        if !machine.closesAfterResponse, let whole = reply.whole(date) {
            written.add(whole, of: reply.accountID, isCounted: false)
            if let meter = reply.meter { delivered?.sent(reply.body?.readableBytes ?? 0, counting: meter) }
            input.write(whole)
        } else {
            write(reply, date, to: input)
        }
        if machine.responseEnded(now: .now()) {
            finish()
        } else if input.isFeeding {
            hasUnflushed = true
        } else {
            flush(context: context)
        }
    }

    private func write(
        _ reply: PlaybackReply, _ date: HTTPDates.Now, isChunked: Bool = false, to input: HTTPInputHandler
    ) {
        var head = reply.head
        head.writeStaticString("Date: ")
        head.writeString(date.text)
        if isChunked { head.writeStaticString("\r\nTransfer-Encoding: chunked") }
        head.writeStaticString(machine.closesAfterResponse ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n")
        if let body = reply.body, body.readableBytes > 0 {
            written.add(body, of: reply.accountID, isCounted: reply.isCounted)
            if let meter = reply.meter { delivered?.sent(body.readableBytes, counting: meter) }
            if body.readableBytes < WrittenBodies.leastHeld {
                head.writeImmutableBuffer(body)
                input.write(head)
            } else {
                input.write(head)
                input.write(body)
            }
        } else {
            input.write(head)
        }
    }

    // MARK: Bodies that are written as they come

    /// More may be written for the client of what is streamed.
    var takesStreamed: Bool { isWritable }

    func streamedWrite(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?) {
        guard let input, streamed != nil else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        written.add(bytes, of: nil, isCounted: true)
        input.write(bytes, promise: promise)
    }

    func streamedFlush() {
        guard let context else { return }
        context.flush()
        // While something waits, the timer looks after it.
        if machine.waiting == 0 { measure() }
        arm()
    }

    func streamedEnded(isWhole: Bool) {
        guard let context, let (body, _) = streamed else { return }
        streamed = nil
        body.cancel()
        guard isWhole else {
            context.close(promise: nil)
            return
        }
        if machine.responseEnded(now: .now()) { finish() } else { flush(context: context) }
    }

    /// Responses to requests that came together go out together.
    func flushResponses() {
        guard hasUnflushed, let context else { return }
        flush(context: context)
    }

    // MARK: Responses of Hummingbird

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // A handler's response to a request that the connection has answered itself.
        guard !machine.isEnding else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let response):
            var head = HTTPResponseHead(response)
            if response.status.kind != .informational {
                let closes = head.headers.first(name: "Connection")?.lowercased() == "close"
                machine.responseBegan(closes: closes || gate?.isOnTrial ?? false)
                if machine.closesAfterResponse { head.headers.replaceOrAdd(name: "Connection", value: "close") }
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let buffer):
            written.add(buffer, of: nil, isCounted: false)
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: promise)
        case .end(let trailers):
            exchange?.giveBack()
            context.write(wrapOutboundOut(.end(trailers.map { HTTPHeaders($0) })), promise: promise)
            if machine.responseEnded(now: .now()) { finish() }
        }
    }

    func flush(context: ChannelHandlerContext) {
        hasUnflushed = false
        context.flush()
        measure()
        goOn()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard machine.isEnding else {
            context.close(mode: mode, promise: promise)
            return
        }
        // The end is under way, and in its own time: what has been written goes out first.
        switch mode {
        case .all: context.channel.closeFuture.cascade(to: promise)
        case .input, .output: promise?.succeed(())
        }
    }

    private func goOn() {
        giveOn()
        // Hummingbird takes what it was given when a read is complete.
        if isReadOpen, let context { channelReadComplete(context: context) }
        input?.resume()
        arm()
    }

    /// Looks at what the socket holds back.
    private func measure() {
        guard let context else { return }
        // What is encrypted is with the channel; the rest is with what encrypts it.
        let buffered = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        let waiting = buffered + (tls?.waiting ?? 0)
        var acknowledged: Int64 = 0
        if waiting > 0 {
            TCPProgress.acknowledged(context.channel).assumeIsolated().whenSuccess { acknowledged = $0 ?? 0 }
        }
        machine.measured(waiting: waiting, acknowledged: acknowledged, now: .now())
        written.taken(waiting: waiting, in: shared.memory)
    }

    // MARK: Endings

    /// Answers the request in progress, or the one that has not become one, in its handler's place, and ends the connection.
    private func reject(_ rejection: HTTPConnection.Rejection) {
        guard let context else { return }
        shared.note(rejection.sentence, of: address)
        guard machine.canReject else {
            context.close(promise: nil)
            return
        }
        send(PlaybackReply(rejection), closes: true)
        // Its handler waits for the rest of the body, which does not come.
        if hasCodec { context.fireErrorCaught(HTTPParserError.invalidEOFState) }
    }

    /// Ends a connection that is past help.
    func end(_ reason: String) {
        shared.note(reason, of: address)
        context?.close(promise: nil)
    }

    /// What waits goes out, then the output is closed; the peer gets a moment to notice.
    private func finish() {
        guard let context else { return }
        items.removeAll()
        exchange?.giveBack()
        context.flush()
        context.close(mode: .output, promise: nil)
        measure()
        input?.resume()
        arm()
    }

    // MARK: Time

    func arm() {
        guard let context, let deadline = machine.deadline else { return }
        timer.arm(deadline, on: context.eventLoop) { self.timeUp() }
    }

    private func timeUp() {
        timer.wentOff()
        guard let context else { return }
        if machine.waiting > 0 { measure() }
        switch machine.timeUp(isPressed: shared.memory.isPressed, now: .now()) {
        case .nothing: break
        case .close: context.close(promise: nil)
        case .closeStalled: end("the client takes nothing of its response")
        case .probe:
            machine.wasProbed()
            sendContinue(context)
        case .reject(let rejection): reject(rejection)
        }
        arm()
    }
}

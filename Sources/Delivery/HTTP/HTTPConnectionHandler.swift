import Admission
import Basics
import HTTPTypes
import Live
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

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
        if event as? ChannelEvent == .inputClosed, kept != nil {
            hasEnded = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
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

/// Carries out what `HTTPConnection` decides, between the HTTP codec and Hummingbird: one request at a time goes up, its
/// response goes down, and whoever takes too long or breaks the protocol is answered here and closed.
final class HTTPConnectionHandler: ChannelDuplexHandler {
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

    /// A response's buffer that waits for the peer.
    private struct Held {
        var identity: UInt
        /// Bytes of bodies written to the connection when it had been.
        var end: Int
    }

    /// Smaller buffers are not worth a count.
    private static let leastHeld = 4 << 10

    private var machine: HTTPConnection
    private let limits: HTTPLimits
    private let memory: HTTPMemory
    private let log: LogLimiter
    private var context: ChannelHandlerContext?
    private var input: HTTPInputHandler?
    private var items = CircularBuffer<Item>()
    private var network: IPNetwork?
    /// Bytes of the request's body that are counted.
    private var bodyBytes = 0
    private var bytesWritten = 0
    private var held: [Held] = []
    private var timer: (task: Scheduled<Void>, deadline: NIODeadline)?

    init(limits: HTTPLimits, memory: HTTPMemory, log: LogLimiter) {
        self.limits = limits
        self.memory = memory
        self.log = log
        machine = HTTPConnection(limits: limits, now: .now())
    }

    /// The handler of the same connection that stands under the decoder.
    func makeInput() -> HTTPInputHandler {
        let handler = HTTPInputHandler(connection: self)
        input = handler
        return handler
    }

    // MARK: What the handler under the decoder asks

    var isEnding: Bool { machine.isEnding }

    /// The decoder may have more bytes.
    var takesMore: Bool {
        guard items.isEmpty, let context else { return false }
        return machine.isReadingBody || (machine.isReadyForRequest && context.channel.isWritable)
    }

    func bytesCame() {
        machine.bytesCame(now: .now())
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        network = address.map { IPNetwork.ofCustomer($0) }
        machine = HTTPConnection(limits: limits, now: .now())
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
        timer?.task.cancel()
        timer = nil
        giveBackBody()
        releaseHeld(waiting: 0)
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
            guard machine.quiesce() else { return }
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
        guard context.channel.isWritable else { return }
        measure()
        goOn()
    }

    /// Gives on what may be: all of the request in progress, and the next one when that has been answered.
    /// - Returns: whether anything was.
    @discardableResult
    private func giveOn() -> Bool {
        var isGiven = false
        while let item = items.first, let context {
            switch item {
            case .part(.head(let head)):
                guard machine.isReadyForRequest, context.channel.isWritable else { return isGiven }
                items.removeFirst()
                start(head, context)
            case .part(.body(let bytes)):
                items.removeFirst()
                take(bytes, context)
            case .part(.end(let trailers)):
                items.removeFirst()
                machine.requestEndCame(now: .now())
                context.fireChannelRead(wrapInboundOut(.end(trailers.map { HTTPFields($0, splitCookie: false) })))
            case .failure(let rejection):
                guard machine.isReadingBody || machine.isReadyForRequest else { return isGiven }
                items.removeFirst()
                reject(rejection)
            case .end:
                guard !machine.isBusy || machine.isReadingBody else { return isGiven }
                items.removeFirst()
                context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            }
            isGiven = true
        }
        return isGiven
    }

    private func start(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let verdict = machine.requestHeadCame(HTTPConnection.Head(head), now: .now())
        if case .reject(let rejection) = verdict {
            reject(rejection)
            return
        }
        guard let request = try? HTTPRequest(of: head) else {
            reject(.malformed)
            return
        }
        if verdict == .acceptAfterContinue {
            context.writeAndFlush(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
        }
        context.fireChannelRead(wrapInboundOut(.head(request)))
    }

    private func take(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        if let rejection = machine.requestBodyCame(bytes.readableBytes) {
            reject(rejection)
        } else if memory.takeBody(bytes.readableBytes, of: network) {
            bodyBytes += bytes.readableBytes
            context.fireChannelRead(wrapInboundOut(.body(bytes)))
        } else {
            reject(.overloaded)
        }
    }

    private func giveBackBody() {
        memory.giveBackBody(bodyBytes, of: network)
        bodyBytes = 0
    }

    // MARK: Responses

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
                machine.responseBegan(closes: head.headers.first(name: "Connection")?.lowercased() == "close")
                if machine.closesAfterResponse { head.headers.replaceOrAdd(name: "Connection", value: "close") }
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let buffer):
            bytesWritten += buffer.readableBytes
            if buffer.readableBytes >= HTTPConnectionHandler.leastHeld {
                held.append(Held(identity: memory.hold(buffer), end: bytesWritten))
            }
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: promise)
        case .end(let trailers):
            giveBackBody()
            context.write(wrapOutboundOut(.end(trailers.map { HTTPHeaders($0) })), promise: promise)
            if machine.responseEnded(now: .now()) { finish() }
        }
    }

    func flush(context: ChannelHandlerContext) {
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
        // Hummingbird takes what it was given when a read is complete.
        if giveOn() { context?.fireChannelReadComplete() }
        input?.resume()
        arm()
    }

    /// Looks at what the socket holds back.
    private func measure() {
        guard let context else { return }
        let waiting = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        var acknowledged: Int64 = 0
        if waiting > 0 {
            TCPProgress.acknowledged(context.channel).assumeIsolated().whenSuccess { acknowledged = $0 ?? 0 }
        }
        machine.measured(waiting: waiting, acknowledged: acknowledged, now: .now())
        releaseHeld(waiting: waiting)
    }

    /// Gives back the buffers that were written before the last `waiting` bytes.
    private func releaseHeld(waiting: Int) {
        guard !held.isEmpty else { return }
        let written = waiting == 0 ? bytesWritten : bytesWritten - waiting
        let count = held.prefix { $0.end <= written }.count
        for buffer in held.prefix(count) { memory.release(buffer.identity) }
        held.removeFirst(count)
    }

    // MARK: Endings

    /// Answers the request in progress, or the one that has not become one, in its handler's place, and ends the connection.
    private func reject(_ rejection: HTTPConnection.Rejection) {
        guard let context else { return }
        note(rejection.sentence)
        guard machine.canReject else {
            context.close(promise: nil)
            return
        }
        let body = ByteBuffer(string: rejection.sentence + "\n")
        var head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: Int(rejection.status)))
        head.headers = [
            "Content-Type": "text/plain; charset=utf-8", "Content-Length": "\(body.readableBytes)",
            "Cache-Control": "no-store", "Connection": "close",
        ]
        if rejection == .overloaded { head.headers.add(name: "Retry-After", value: "5") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        machine.finish()
        finish()
        // Its handler waits for the rest of the body, which does not come.
        context.fireErrorCaught(HTTPParserError.invalidEOFState)
    }

    /// Ends a connection that is past help.
    func end(_ reason: String) {
        note(reason)
        context?.close(promise: nil)
    }

    /// What waits goes out, then the output is closed; the peer gets a moment to notice.
    private func finish() {
        guard let context else { return }
        items.removeAll()
        giveBackBody()
        context.flush()
        context.close(mode: .output, promise: nil)
        measure()
        input?.resume()
        arm()
    }

    private func note(_ reason: String) {
        let address = address.map { "\($0)" } ?? "unknown"
        log.log(.info, "HTTP connection closed", reason, address: address, lines: 5)
    }

    // MARK: Time

    func arm() {
        guard let context, let deadline = machine.deadline else { return }
        if let timer {
            guard deadline < timer.deadline else { return }
            timer.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.timeUp() }
        timer = (task, deadline)
    }

    private func timeUp() {
        timer = nil
        guard let context else { return }
        if machine.waiting > 0 { measure() }
        switch machine.timeUp(isPressed: memory.isPressed, now: .now()) {
        case .nothing: break
        case .close: context.close(promise: nil)
        case .closeStalled: end("the client takes nothing of its response")
        case .reject(let rejection): reject(rejection)
        }
        arm()
    }
}

extension HTTPConnection.Head {
    init(_ head: HTTPRequestHead) {
        let lengths = head.headers[canonicalForm: "content-length"]
        let announced = lengths.first.flatMap { Int($0) }
        self.init(
            isVersion11: head.version.major > 1 || (head.version.major == 1 && head.version.minor >= 1),
            hosts: head.headers[canonicalForm: "host"].count,
            // A number past Int's range is larger than any limit.
            announced: lengths.isEmpty ? nil : announced ?? .max,
            hasBody: announced.map { $0 > 0 } ?? (!lengths.isEmpty || head.headers.contains(name: "transfer-encoding")),
            expectsContinue: head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" },
            keepsAlive: head.isKeepAlive)
    }
}

extension HTTPRequest {
    /// The request in the terms of Hummingbird. A target that is a path and a query is taken as it is, which spares the usual
    /// request a parse of its URL.
    fileprivate init(of head: HTTPRequestHead) throws {
        guard head.uri.utf8.first == UInt8(ascii: "/") else {
            try self.init(head, secure: false, splitCookie: false)
            return
        }
        self.init(
            method: try Method(head.method), scheme: "http", authority: head.headers.first(name: "host"),
            path: head.uri, headerFields: HTTPFields(head.headers, splitCookie: false))
    }
}

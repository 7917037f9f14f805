import Admission
import Basics
import Live
import NIOCore
import NIOHPACK
import NIOHTTP2

/// A connection of HTTP/2 (RFC 9113): many requests at a time, answered by the same services as those of HTTP/1. Frames, header
/// compression and limits on resets, empty and control frames are the library's; requests, bodies, deadlines, whose turn it is and
/// what waits for the peer are looked after here.
///
/// The library is given no more of a response than the peer's windows and the socket take, in pieces that refer to the shared bytes.
/// So a playlist passes the segments that wait, and how many pieces have gone out tells how a stream gets on.
final class HTTP2Connection: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// Requests of one connection at a time.
    static let maximumStreams = 100
    private static let maximumHeaders = 32 << 10
    /// What may be with the library and the socket.
    private static let givenLength = 128 << 10
    /// PINGs, SETTINGS and the like that a peer may send in half a minute. Their answers are less than the least that counts as
    /// taking a response (`SendProgress`), inside TLS as well.
    private static let maximumControlFrames = 300
    /// A window that both sides begin with (RFC 9113 §6.9.2).
    private static let usualWindow = 65_535
    private static let stalled = "the client takes nothing of its response"

    let shared: HTTPShared
    private let gate: ConnectionGateHandler?
    private let isSecure: Bool
    private var context: ChannelHandlerContext?
    /// Both ends, and what was asked for last.
    private var player: PlaybackConnection?
    private(set) var stripe = 0

    private var streams: [HTTP2StreamID: HTTP2Stream] = [:]
    private var newest = HTTP2StreamID.rootStream
    /// Bytes of requests' bodies for which the peer was given no room again.
    private var consumed = 0
    private var frames = HTTP2Frames()
    /// Since when there is the beginning of a frame, or of a request's header in several, and not its end.
    private var partialSince: NIODeadline?
    private var idleSince = NIODeadline.now()
    /// Until then a request may have to be told that its body did not come.
    private var receivingUntil = NIODeadline.uptimeNanoseconds(0)

    private var turns = HTTP2Turns<HTTP2Stream>()
    /// What the peer allows for all streams together, and for a new one.
    private var window = HTTP2Connection.usualWindow
    private var initialWindow = HTTP2Connection.usualWindow
    /// Bytes of bodies that have not gone out, and those of them that the library has.
    private var waiting = 0
    private var inFlight = 0
    private var progress = SendProgress()
    private var isReading = false
    /// Something was written, or may be; it goes out with whatever else comes of the same cause.
    private var isFlushWanted = false
    private var isFlushScheduled = false
    private weak var watch: HTTP2Watch?

    /// No more requests are taken.
    private var isEnding = false
    /// The output is closed, and what the peer still sends is dropped until then.
    private var lingerUntil: NIODeadline?
    private var timer = DeadlineTimer()

    private init(_ shared: HTTPShared, gate: ConnectionGateHandler?, isSecure: Bool) {
        self.shared = shared
        self.gate = gate
        self.isSecure = isSecure
    }

    /// What a connection's pipeline needs, from the socket upwards.
    static func handlers(
        _ shared: HTTPShared, gate: ConnectionGateHandler?, isSecure: Bool
    ) -> [any ChannelHandler] {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: maximumStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: maximumHeaders),
        ]
        configuration.controlFrameRateLimit.maximumCount = maximumControlFrames
        configuration.maximumBufferedControlFrames = 1_000
        let connection = HTTP2Connection(shared, gate: gate, isSecure: isSecure)
        let watch = HTTP2Watch(connection)
        connection.watch = watch
        return [
            watch, NIOHTTP2Handler(mode: .server, connectionConfiguration: configuration), connection,
        ]
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        player = PlaybackConnection(context, isSecure: isSecure)
        stripe = DeliveryMeter.stripe(of: context.eventLoop)
        idleSince = .now()
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
        timer.cancel()
        turns.removeAll()
        let all = streams.values
        streams.removeAll()
        for stream in all { stream.leave() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as StreamClosedEvent:
            guard let stream = streams.removeValue(forKey: event.streamID) else { return }
            waiting -= stream.queued
            stream.leave()
            if streams.isEmpty { idleSince = .now() }
            closeIfDone()
            arm()
        case is ChannelShouldQuiesceEvent:
            for stream in streams.values { stream.quiesce() }
            finish()
        case ChannelEvent.inputClosed:
            isEnding = true
            guard !streams.isEmpty || waiting > 0 else {
                context.close(promise: nil)
                return
            }
            // A peer whose socket is closed answers with a reset, one that only has nothing more to say does not.
            write(.rootStream, .ping(HTTP2PingData(withInteger: 0), ack: false))
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.fireChannelWritabilityChanged()
        guard isWritable else { return }
        for stream in streams.values { stream.writabilityChanged() }
        wantFlush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        // Of one stream, which the library has reset, or which was gone already.
        case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.NoSuchStream, is NIOHTTP2Errors.StreamClosed,
            is NIOHTTP2Errors.ForbiddenHeaderField, is NIOHTTP2Errors.InvalidPseudoHeaders,
            is NIOHTTP2Errors.MissingPseudoHeader, is NIOHTTP2Errors.DuplicatePseudoHeader,
            is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader, is NIOHTTP2Errors.UnknownPseudoHeader,
            is NIOHTTP2Errors.UnsupportedPseudoHeader, is NIOHTTP2Errors.InvalidPseudoHeaderValue,
            is NIOHTTP2Errors.MissingHostHeader, is NIOHTTP2Errors.DuplicateHostHeader,
            is NIOHTTP2Errors.EmptyPathHeader, is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName,
            is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue, is NIOHTTP2Errors.ContentLengthViolated,
            is NIOHTTP2Errors.ContentLengthHeadersMismatch, is NIOHTTP2Errors.ContentLengthHeaderNegative,
            is NIOHTTP2Errors.ContentLengthHeaderMalformedValue, is NIOHTTP2Errors.TrailersWithoutEndStream,
            is NIOHTTP2Errors.MaxStreamsViolation:
            break
        // Something crossed with what ended the connection.
        case is any NIOHTTP2Error where lingerUntil != nil: break
        case is any NIOHTTP2Error:
            // The library has told the peer.
            note("HTTP/2: \(type(of: error))")
            isEnding = true
            linger()
        default:
            context.fireErrorCaught(error)
        }
    }

    // MARK: What came

    func bytesCame(_ bytes: ByteBufferView) {
        let hasEnded = frames.came(bytes)
        if !frames.isPartial {
            partialSince = nil
        } else if hasEnded || partialSince == nil {
            partialSince = .now()
            arm()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        guard lingerUntil == nil else { return }
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let headers): headersCame(frame.streamID, headers)
        case .data(let data): dataCame(frame.streamID, data)
        case .windowUpdate(let increment): windowGrew(frame.streamID, by: increment)
        case .settings(.settings(let settings)): settingsCame(settings)
        case .goAway:
            isEnding = true
            closeIfDone()
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        if isFlushWanted { flush() }
        arm()
    }

    private func headersCame(_ id: HTTP2StreamID, _ content: HTTP2Frame.FramePayload.Headers) {
        if let stream = streams[id] {
            // Trailers, which nobody here asks for.
            if content.endStream { stream.ended() }
            return
        }
        newest = max(newest, id)
        guard let context else { return }
        let request = HTTP2Request(content.headers, hasPlayback: shared.playback != nil, isSecure: isSecure)
        let exchange = HTTPExchange(shared, on: context.eventLoop, for: player?.client)
        let stream = HTTP2Stream(id: id, request: request, window: initialWindow, of: self, exchange)
        streams[id] = stream
        guard !isEnding else { return reset(stream, .refusedStream) }
        if case .player = request?.kind, let gate, !gate.admitViewer() {
            stream.reject(.noViewers)
            finish()
            return
        }
        if !content.endStream {
            receivingUntil = .now() + shared.limits.bodyTimeout + SendProgress.interval + SendProgress.interval
        }
        stream.begin(isComplete: content.endStream)
    }

    private func dataCame(_ id: HTTP2StreamID, _ content: HTTP2Frame.FramePayload.Data) {
        let length = content.data.readableBytes + (content.paddingBytes.map { $0 + 1 } ?? 0)
        consumed += length
        if consumed >= HTTP2Stream.windowStep {
            write(.rootStream, .windowUpdate(windowSizeIncrement: consumed))
            consumed = 0
        }
        streams[id]?.dataCame(content, length: length)
    }

    /// The library has seen that no window becomes larger than may be.
    private func windowGrew(_ id: HTTP2StreamID, by increment: Int) {
        if id == .rootStream {
            window += increment
        } else if let stream = streams[id] {
            stream.window += increment
            takeTurn(stream)
        }
        wantFlush()
    }

    private func settingsCame(_ settings: HTTP2Settings) {
        for setting in settings where setting.parameter == .initialWindowSize {
            let change = setting.value - initialWindow
            initialWindow = setting.value
            for stream in streams.values {
                stream.window += change
                takeTurn(stream)
            }
        }
        wantFlush()
    }

    // MARK: What streams ask

    var channel: (any Channel)? { context?.channel }

    /// More may be written for the client.
    var isWritable: Bool {
        inFlight < Self.givenLength && context?.channel.isWritable ?? false
    }

    func has(_ stream: HTTP2Stream) -> Bool {
        streams[stream.id] === stream
    }

    func answer(_ head: RequestHead, _ exchange: HTTPExchange, to stream: HTTP2Stream) -> PlaybackReply? {
        guard var player else { return nil }
        defer { self.player = player }
        return exchange.answer(head, over: &player, to: stream)
    }

    /// Hummingbird has answered a request.
    func answeredByOthers() {
        if gate?.isOnTrial ?? false { finish() }
    }

    /// There is more of a stream's response, or its end.
    func hasMore(_ stream: HTTP2Stream, _ bytes: Int) {
        waiting += bytes
        takeTurn(stream)
        wantFlush()
        arm()
    }

    func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        write(stream.id, .rstStream(code))
    }

    func note(_ reason: String) {
        shared.note(reason, of: player?.client)
    }

    // MARK: Writing

    func write(_ id: HTTP2StreamID, _ payload: HTTP2Frame.FramePayload) {
        context?.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
        wantFlush()
    }

    /// What is written for one cause goes out together: when all that came was read, and when all who waited for what has just been
    /// published were woken.
    func wantFlush() {
        isFlushWanted = true
        guard !isReading, !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            if self.isFlushWanted { self.flush() }
            self.arm()
        }
    }

    private func flush() {
        guard let context else { return }
        isFlushWanted = false
        watch?.gather {
            giveTurns(context)
            context.flush()
        }
        if waiting == 0 || !progress.isWaiting { progress.measure(context.channel, waiting: waiting) }
        closeIfDone()
    }

    private func takeTurn(_ stream: HTTP2Stream) {
        guard !stream.isWaitingForTurn, stream.hasPiece else { return }
        stream.isWaitingForTurn = true
        turns.add(stream, level: stream.level)
    }

    /// Gives pieces of responses to the library, as many as the peer and the socket take.
    private func giveTurns(_ context: ChannelHandlerContext) {
        while isWritable, let stream = turns.next() {
            stream.isWaitingForTurn = false
            guard has(stream), let piece = stream.nextPiece(most: window) else {
                guard has(stream), stream.hasPiece else { continue }
                // The connection's window is used up.
                takeTurn(stream)
                return
            }
            give(piece.bytes, isLast: piece.isLast, of: stream, piece.promise, context)
            takeTurn(stream)
        }
    }

    private func give(
        _ bytes: ByteBuffer, isLast: Bool, of stream: HTTP2Stream, _ written: EventLoopPromise<Void>?,
        _ context: ChannelHandlerContext
    ) {
        let length = bytes.readableBytes
        window -= length
        inFlight += length
        let promise = written ?? context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            var isSent = false
            if case .success = result { isSent = true }
            self.wentOut(length, of: stream, isSent: isSent)
        }
        let data = HTTP2Frame.FramePayload.Data(data: .byteBuffer(bytes), endStream: isLast)
        // Of what it has from several streams at once the library sends what it likes first.
        context.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: stream.id, payload: .data(data))), promise: promise)
    }

    private func wentOut(_ length: Int, of stream: HTTP2Stream, isSent: Bool) {
        inFlight -= length
        waiting -= length
        // A frame that the library has dropped, since its stream is gone, has used nothing of the window.
        if !isSent { window += length }
        stream.wentOut(length, isSent: isSent)
        if waiting == 0 {
            progress.measured(waiting: 0, acknowledged: 0, now: .now())
            if streams.isEmpty { idleSince = .now() }
            arm()
        }
        // Not within the library's own work on what it was given.
        if isEnding || !turns.isEmpty { wantFlush() }
    }

    // MARK: Endings

    /// Takes no more requests; those that are here are answered.
    private func finish() {
        guard !isEnding else { return }
        isEnding = true
        write(.rootStream, .goAway(lastStreamID: newest, errorCode: .noError, opaqueData: nil))
    }

    private func closeIfDone() {
        guard isEnding, streams.isEmpty, waiting == 0 else { return }
        linger()
    }

    private func linger() {
        guard let context, lingerUntil == nil else { return }
        lingerUntil = .now() + HTTPConnection.lingerTime
        context.flush()
        context.close(mode: .output, promise: nil)
        arm()
    }

    private func end(_ reason: String) {
        note(reason)
        context?.close(promise: nil)
    }

    // MARK: Time

    /// nil: requests wait for what their streams bring, and nothing for the peer.
    private var deadline: NIODeadline? {
        if let lingerUntil { return lingerUntil }
        let limits = shared.limits
        var deadline: NIODeadline?
        if waiting > 0 || receivingUntil > .now() {
            deadline = .now() + min(SendProgress.interval, limits.sendTimeout)
        } else if streams.isEmpty {
            deadline = idleSince + limits.idleTimeout
        }
        guard let partialSince else { return deadline }
        let partial = partialSince + limits.headerTimeout
        return deadline.map { min($0, partial) } ?? partial
    }

    private func arm() {
        guard let context, let deadline else { return }
        timer.arm(deadline, on: context.eventLoop) { self.timeUp() }
    }

    private func timeUp() {
        timer.wentOff()
        guard let context else { return }
        let now = NIODeadline.now()
        let limits = shared.limits
        if let lingerUntil {
            guard now >= lingerUntil else { return arm() }
            context.close(promise: nil)
            return
        }
        if let partialSince, now - partialSince >= limits.headerTimeout {
            return end(HTTPConnection.Rejection.timeout.sentence)
        }
        let isPressed = shared.memory.isPressed
        progress.measure(context.channel, waiting: waiting)
        if progress.isStalled(limits, isPressed: isPressed, now: now) {
            return end(Self.stalled)
        }
        if streams.isEmpty, waiting == 0, now - idleSince >= limits.idleTimeout { finish() }
        let hasRoom = window > 0 && isWritable
        let stalled = streams.values.filter {
            $0.timeUp(now: now, hasRoom: hasRoom, isPressed: isPressed) == .stalled
        }
        guard stalled.isEmpty || stalled.count < streams.count else { return end(Self.stalled) }
        for stream in stalled {
            note("the client takes nothing of one response")
            reset(stream, .cancel)
        }
        arm()
    }
}

/// Stands below the library, tells the connection what comes, of which frames may or may not be made, and lets frames that go out
/// together be one write.
private final class HTTP2Watch: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let connection: HTTP2Connection
    private var context: ChannelHandlerContext?
    private var isGathering = false
    private var hasFlush = false

    init(_ connection: HTTP2Connection) {
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.bytesCame(unwrapInboundIn(data).readableBytesView)
        context.fireChannelRead(data)
    }

    func flush(context: ChannelHandlerContext) {
        if isGathering { hasFlush = true } else { context.flush() }
    }

    /// What is flushed within goes to the socket at its end.
    func gather(_ body: () -> Void) {
        guard !isGathering else { return body() }
        isGathering = true
        body()
        isGathering = false
        guard hasFlush else { return }
        hasFlush = false
        context?.flush()
    }
}

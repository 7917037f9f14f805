import Basics
import HTTPTypes
import Live
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One request on a connection of HTTP/2, and its response. What of the response may go out, and when, its connection says
/// (`nextPiece`): the library is given no more than the windows and the socket take.
final class HTTP2Stream: ReplyReceiver, StreamedResponse {
    private enum Phase {
        /// The rest of the request has to come.
        case receiving(since: NIODeadline)
        /// With whoever answers it.
        case answering
        case sending
    }

    private struct Piece {
        var bytes: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }

    /// Room is given back to a peer that sends a body when so much has come.
    static let windowStep = 16 << 10
    /// The least that every peer takes as one frame (RFC 9113 §4.2).
    private static let frameLength = 16 << 10
    /// What of a body that is written as it comes may be with the library and the socket.
    private static let streamedLength = 64 << 10

    let id: HTTP2StreamID
    private let request: HTTP2Request?
    private let shared: HTTPShared
    private weak var connection: HTTP2Connection?
    private let exchange: HTTPExchange
    private var phase: Phase

    // The request: its body, for Hummingbird, how much of that came, and for how much the peer was given no room again.
    private var body = ByteBuffer()
    private var received = 0
    private var consumed = 0
    /// Its header is counted.
    private var isKept = false
    /// The peer has nothing more to send.
    private var isComplete = false
    /// Hummingbird's work.
    private var task: Task<Void, Never>?

    // The response: what was not given to the library, and how much of what it was given has not gone out.
    private var queue: [Piece] = []
    private(set) var queued = 0
    private var inFlight = 0
    /// Nothing is added to it.
    private var isWhole = false
    private var hasEnded = false
    private var streamed: (body: any StreamedBody, sink: HTTPBodySink)?
    private var meter: DeliveryMeter?
    /// What `HTTPMemory.hold` gave.
    private var identity: UInt?
    /// What the peer allows; below zero when it has taken some back.
    var window: Int
    /// Bytes that have gone out.
    private var sent: Int64 = 0
    private var progress = SendProgress()
    private(set) var isBulk = false
    /// It stands among those that have a turn.
    var isWaitingForTurn = false

    init(
        id: HTTP2StreamID, request: HTTP2Request?, window: Int, of connection: HTTP2Connection, _ exchange: HTTPExchange
    ) {
        self.id = id
        self.request = request
        self.window = window
        self.connection = connection
        self.exchange = exchange
        shared = connection.shared
        phase = .receiving(since: .now())
    }

    /// The connection has forgotten it.
    private var isGone: Bool { connection?.has(self) != true }

    /// The place of its response among others (RFC 9218 §10): what the client says comes first, then what is short and watched next
    /// before what is long.
    var level: Int {
        2 * (request?.urgency ?? HTTP2Request.usualUrgency) + (isBulk ? 1 : 0)
    }

    // MARK: The request

    /// - Parameter isComplete: nothing follows the header.
    func begin(isComplete: Bool) {
        self.isComplete = isComplete
        guard let request else { return reject(.malformed) }
        if isComplete {
            answer(request)
        } else if case .other = request.kind, request.announced ?? 0 > shared.limits.maximumBody {
            // It is not asked for; who answers says so.
            answer(request)
        } else if keep(request), request.expectsContinue {
            connection?.write(id, .headers(.init(headers: [":status": "100"])))
        }
    }

    /// Counts a header that is not answered at once: many requests may wait on one connection.
    private func keep(_ request: HTTP2Request) -> Bool {
        guard !isKept else { return true }
        isKept = exchange.take(request.size)
        if !isKept { reject(.overloaded) }
        return isKept
    }

    func dataCame(_ content: HTTP2Frame.FramePayload.Data, length: Int) {
        if case .receiving = phase { take(content.data) }
        guard !content.endStream else { return ended() }
        guard case .receiving = phase else { return }
        consumed += length
        if consumed >= Self.windowStep {
            connection?.write(id, .windowUpdate(windowSizeIncrement: consumed))
            consumed = 0
        }
    }

    private func take(_ data: IOData) {
        guard case .byteBuffer(var bytes) = data, bytes.readableBytes > 0 else { return }
        received += bytes.readableBytes
        guard received <= shared.limits.maximumBody else { return reject(.bodyTooLarge) }
        // Nothing that players ask for has a body.
        guard case .other? = request?.kind else { return }
        guard exchange.take(bytes.readableBytes) else { return reject(.overloaded) }
        body.writeBuffer(&bytes)
    }

    /// All of the request is there.
    func ended() {
        isComplete = true
        if case .receiving = phase, let request { answer(request) }
    }

    // MARK: Its answer

    private func answer(_ request: HTTP2Request) {
        guard let connection, let channel = connection.channel else { return }
        phase = .answering
        switch request.kind {
        case .player(let head):
            if let reply = connection.answer(head, exchange, to: self) {
                send(reply)
            } else {
                _ = keep(request)
            }
        case .other(let head):
            guard keep(request) else { return }
            let body = body
            self.body = ByteBuffer()
            let (bound, respond) = (NIOLoopBound(self, eventLoop: channel.eventLoop), shared.respond)
            task = Task {
                let (head, body) = await respond(head, body, channel)
                channel.eventLoop.execute { bound.value.answered(head, body) }
            }
        }
    }

    private func answered(_ response: HTTPResponse, _ body: ByteBuffer) {
        task = nil
        guard !isGone, case .answering = phase else { return }
        send(HPACKHeaders(response), body)
        connection?.answeredByOthers()
    }

    /// Answers in the place of who would have.
    func reject(_ rejection: HTTPConnection.Rejection) {
        connection?.note(rejection.sentence)
        // Whoever works on an answer has it no more.
        exchange.leave()
        task?.cancel()
        task = nil
        send(PlaybackReply(rejection))
    }

    func send(_ reply: PlaybackReply) {
        guard !isGone, let channel = connection?.channel else {
            reply.stream?.cancel()
            return
        }
        if case .sending = phase {
            reply.stream?.cancel()
            return
        }
        isBulk = reply.isBulk
        let headers = reply.fields(shared.dates.now())
        // What is written as it comes counts itself.
        guard let body = reply.stream else {
            meter = reply.meter
            send(headers, reply.body, of: reply.accountID, isCounted: reply.isCounted)
            return
        }
        begin(headers, hasBody: true)
        let sink = HTTPBodySink(self, channel: channel, isChunked: false)
        streamed = (body, sink)
        body.start(sink)
    }

    private func send(
        _ headers: HPACKHeaders, _ body: ByteBuffer?, of accountID: AccountID? = nil, isCounted: Bool = false
    ) {
        isWhole = true
        guard let body, body.readableBytes > 0 else {
            begin(headers, hasBody: false)
            outEnded()
            return
        }
        if !isCounted, body.readableBytes >= WrittenBodies.leastHeld {
            identity = shared.memory.hold(body, of: accountID)
        }
        begin(headers, hasBody: true)
        add(body, promise: nil)
    }

    private func begin(_ headers: HPACKHeaders, hasBody: Bool) {
        exchange.giveBack()
        phase = .sending
        connection?.write(id, .headers(.init(headers: headers, endStream: !hasBody)))
    }

    private func add(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?) {
        queue.append(Piece(bytes: bytes, promise: promise))
        queued += bytes.readableBytes
        connection?.hasMore(self, bytes.readableBytes)
    }

    // MARK: Bodies that are written as they come

    var takesStreamed: Bool {
        queued == 0 && inFlight < Self.streamedLength && connection?.isWritable ?? false
    }

    func streamedWrite(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?) {
        guard streamed != nil, !isGone else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        guard bytes.readableBytes > 0 else {
            promise?.succeed(())
            return
        }
        add(bytes, promise: promise)
    }

    func streamedFlush() {
        connection?.wantFlush()
    }

    func streamedEnded(isWhole: Bool) {
        guard let (body, _) = streamed else { return }
        streamed = nil
        body.cancel()
        guard !isGone, let connection else { return }
        guard isWhole else { return connection.reset(self, .internalError) }
        self.isWhole = true
        connection.hasMore(self, 0)
    }

    /// The connection takes more again.
    func writabilityChanged() {
        if takesStreamed { streamed?.body.writabilityChanged() }
    }

    /// What would not end by itself ends here.
    func quiesce() {
        if let (body, sink) = streamed, !body.isChunked { sink.end() }
    }

    // MARK: Its turns

    /// Something of it may be written: within the stream's window, or its end alone.
    var hasPiece: Bool {
        queue.isEmpty ? isWhole && !hasEnded : window > 0
    }

    /// What goes out next, as one frame.
    /// - Parameter most: what the connection's window allows.
    /// - Returns: nil when nothing may.
    func nextPiece(most: Int) -> (bytes: ByteBuffer, isLast: Bool, promise: EventLoopPromise<Void>?)? {
        guard !queue.isEmpty else {
            guard hasPiece else { return nil }
            hasEnded = true
            return (ByteBuffer(), true, nil)
        }
        let length = min(queue[0].bytes.readableBytes, window, most, Self.frameLength)
        guard length > 0, let bytes = queue[0].bytes.readSlice(length: length) else { return nil }
        var promise: EventLoopPromise<Void>?
        if queue[0].bytes.readableBytes == 0 { promise = queue.removeFirst().promise }
        window -= length
        queued -= length
        inFlight += length
        hasEnded = isWhole && queue.isEmpty
        return (bytes, hasEnded, promise)
    }

    /// - Parameter isSent: the socket has it; otherwise it was dropped.
    func wentOut(_ length: Int, isSent: Bool) {
        inFlight -= length
        if isSent {
            sent += Int64(length)
            meter?.count(hls: length, stripe: connection?.stripe ?? 0)
        }
        if inFlight == 0, queue.isEmpty { release() }
        guard inFlight == 0, hasEnded else { return writabilityChanged() }
        outEnded()
    }

    /// The response is with the socket. What the request still has to bring is not wanted (RFC 9113 §8.1).
    private func outEnded() {
        guard !isComplete, let connection, connection.has(self) else { return }
        isComplete = true
        connection.reset(self, .noError)
    }

    // MARK: Time and endings

    enum TimeUp {
        case nothing, stalled
    }

    /// Looks whether it goes on.
    /// - Parameter hasRoom: the connection's window has some, and the socket takes bytes: only the stream's own window holds it up.
    func timeUp(now: NIODeadline, hasRoom: Bool, isPressed: Bool) -> TimeUp {
        let limits = shared.limits
        switch phase {
        case .receiving(let since):
            if now - since >= limits.bodyTimeout { reject(.timeout) }
        case .answering:
            break
        case .sending:
            progress.measured(waiting: hasRoom && window <= 0 ? queued : 0, acknowledged: sent, now: now)
            if progress.isStalled(limits, isPressed: isPressed, now: now) { return .stalled }
        }
        return .nothing
    }

    /// It is no more.
    func leave() {
        exchange.leave()
        task?.cancel()
        task = nil
        streamed?.body.cancel()
        streamed = nil
        for piece in queue { piece.promise?.fail(ChannelError.ioOnClosedChannel) }
        queue.removeAll()
        queued = 0
        if inFlight == 0 { release() }
    }

    private func release() {
        if let identity { shared.memory.release(identity) }
        identity = nil
    }
}

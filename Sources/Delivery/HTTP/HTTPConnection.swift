import NIOCore
import NIOHTTP1

/// How long an HTTP peer may take, and how much it may send.
public struct HTTPLimits: Sendable, Hashable {
    /// `http.idle_timeout`: between two requests, and before the first byte of the first.
    public var idleTimeout: TimeAmount
    /// `http.header_timeout`: from a request's first byte to the end of its header.
    public var headerTimeout: TimeAmount
    /// `http.body_timeout`: from the end of a request's header to the end of its body.
    public var bodyTimeout: TimeAmount
    /// `http.send_timeout`: without progress while bytes of a response wait.
    public var sendTimeout: TimeAmount
    /// `limits.body`: the largest body, in bytes.
    public var maximumBody: Int

    public init(
        idleTimeout: TimeAmount = .seconds(60), headerTimeout: TimeAmount = .seconds(10),
        bodyTimeout: TimeAmount = .seconds(10), sendTimeout: TimeAmount = .seconds(30), maximumBody: Int = 1 << 20
    ) {
        self.idleTimeout = idleTimeout
        self.headerTimeout = headerTimeout
        self.bodyTimeout = bodyTimeout
        self.sendTimeout = sendTimeout
        self.maximumBody = maximumBody
    }
}

/// Whether a peer takes what waits for it: judged by what its kernel acknowledges, and never by how long all of it takes.
struct SendProgress {
    /// The least a peer has to take within `http.send_timeout`, in bytes, to count as going on; less when less waits. A peer
    /// that takes single bytes would hold a segment for days.
    static let least = 16 << 10
    /// How often waiting bytes are looked at.
    static let interval = TimeAmount.seconds(1)
    /// How soon a stalled peer is closed when memory is short.
    private static let pressedTimeout = TimeAmount.seconds(5)

    /// Where the judgement began: when, what the peer had acknowledged, and what it has to take.
    private var mark: (since: NIODeadline, acknowledged: Int64, needed: Int64)?

    /// - Parameter acknowledged: bytes that the peer's kernel has acknowledged since the connection began.
    mutating func measured(waiting: Int, acknowledged: Int64, now: NIODeadline) {
        guard waiting > 0 else {
            mark = nil
            return
        }
        if let mark, acknowledged - mark.acknowledged < mark.needed { return }
        mark = (now, acknowledged, Int64(min(waiting, Self.least)))
    }

    /// Something waited when it was measured last.
    var isWaiting: Bool { mark != nil }

    /// - Parameter isPressed: memory is short, so peers that hold some of it get less time.
    func isStalled(_ limits: HTTPLimits, isPressed: Bool, now: NIODeadline) -> Bool {
        let patience = isPressed ? min(limits.sendTimeout, Self.pressedTimeout) : limits.sendTimeout
        return mark.map { now - $0.since >= patience } ?? false
    }
}

/// What one HTTP/1 connection is doing and how long it may go on: a state machine without I/O and without a clock.
///
/// One request is in progress at a time; the owner keeps what a pipelining client sends meanwhile. A response is judged
/// by progress and never by its whole length: a download that goes on is not cut, one that has stopped is.
struct HTTPConnection {
    /// What the connection needs to know of a request's header.
    struct Head {
        /// HTTP/1.1 or later.
        var isVersion11: Bool
        /// How often `Host` stands in it.
        var hosts: Int
        /// `Content-Length`, when there is one.
        var announced: Int?
        /// A body follows, of announced or unknown length.
        var hasBody: Bool
        /// `Expect: 100-continue`.
        var expectsContinue: Bool
        /// The client wants to go on after the response.
        var keepsAlive: Bool
    }

    enum Verdict: Equatable {
        case accept
        /// The client waits for "100 Continue" before it sends the body.
        case acceptAfterContinue
        case reject(Rejection)
    }

    /// Why a request is answered by the connection itself, after which the connection ends.
    enum Rejection: Equatable {
        case malformed
        case headerTooLarge
        case host
        case bodyTooLarge
        case timeout
        /// Too much is held for other requests already.
        case overloaded
        /// The places that are left are not for viewers.
        case noViewers

        var status: UInt {
            switch self {
            case .malformed, .host: 400
            case .headerTooLarge: 431
            case .bodyTooLarge: 413
            case .timeout: 408
            case .overloaded, .noViewers: 503
            }
        }

        /// For the log and the body of the answer.
        var sentence: String {
            switch self {
            case .malformed: "the request is no well-formed HTTP"
            case .headerTooLarge: "the request's header is too large"
            case .host: "HTTP/1.1 asks for exactly one Host field"
            case .bodyTooLarge: "the request's body is larger than allowed"
            case .timeout: "the request did not come within the time allowed"
            case .overloaded: "the server holds as many request bodies as it may"
            case .noViewers: "the server has as many viewers as it may have"
            }
        }
    }

    enum TimeUp: Equatable {
        case nothing
        /// Closed without a word: idle, or ended long enough.
        case close
        /// The peer takes nothing of what waits for it.
        case closeStalled
        /// The peer has ended its side and may be gone; it is to be sent something to find out.
        case probe
        case reject(Rejection)
    }

    private enum Reading {
        /// Nothing of the next request has come.
        case idle(since: NIODeadline)
        case head(since: NIODeadline)
        case body(since: NIODeadline, bytes: Int)
        /// Read to its end; the response is not.
        case complete
    }

    private enum Response {
        case none
        /// The request is with its handler.
        case awaited
        case begun
    }

    private enum Ending {
        case open
        /// Another request is not taken after this one.
        case afterResponse
        /// Nothing is read any more; what waits goes out first, then the output is closed.
        case finishing
        /// The output is closed. What the peer still sends is read and dropped, since closing upon unread bytes would reset
        /// the connection and with it take the response from the peer (RFC 9112 §9.6).
        case lingering(until: NIODeadline)
    }

    static let lingerTime = TimeAmount.seconds(2)
    private static let quiescenceGrace = TimeAmount.milliseconds(250)
    /// How long a peer that has ended its side waits before it is asked whether it is still there. Most answers come earlier.
    static let probeDelay = TimeAmount.milliseconds(200)

    private let limits: HTTPLimits
    /// The request in progress came with HTTP/1.1 or later, so that its response may come in chunks.
    private(set) var isVersion11 = false
    private var reading: Reading
    private var response = Response.none
    private var ending = Ending.open
    /// Bytes of responses that the socket has not taken.
    private(set) var waiting = 0
    private var lastMeasure: NIODeadline
    /// When the peer ended its side.
    private var inputEnd: NIODeadline?
    /// When the request in progress came, until the peer has been asked during it whether it is still there.
    private var unprobed: NIODeadline?
    private var progress = SendProgress()
    /// A request has come, at least its head.
    private var hasBeenAsked = false
    /// Since when the process shuts down.
    private var quiescing: NIODeadline?

    init(limits: HTTPLimits, now: NIODeadline) {
        self.limits = limits
        reading = .idle(since: now)
        lastMeasure = now
    }

    // MARK: Requests

    /// The next request may be given to its handler.
    var isReadyForRequest: Bool {
        guard case .open = ending, case .none = response else { return false }
        switch reading {
        case .idle, .head: return true
        case .body, .complete: return false
        }
    }

    /// More of the request that is being read may come.
    var isReadingBody: Bool {
        guard case .body = reading else { return false }
        return !isEnding
    }

    /// A request has not been answered to its end.
    var isBusy: Bool {
        if case .none = response { return isReadingBody }
        return true
    }

    /// What still comes from the peer is of no interest.
    var isEnding: Bool {
        switch ending {
        case .open, .afterResponse: false
        case .finishing, .lingering: true
        }
    }

    /// The response in progress, or the next, has to say `Connection: close`.
    var closesAfterResponse: Bool {
        if case .open = ending { return false }
        return true
    }

    /// Whether a response can still be made up for the request in progress.
    var canReject: Bool {
        if case .begun = response { return false }
        return !isEnding
    }

    mutating func bytesCame(now: NIODeadline) {
        if case .idle = reading { reading = .head(since: now) }
    }

    mutating func requestHeadCame(_ head: Head, now: NIODeadline) -> Verdict {
        assert(isReadyForRequest, "a request came while another is in progress")
        response = .awaited
        hasBeenAsked = true
        isVersion11 = head.isVersion11
        reading = head.hasBody ? .body(since: now, bytes: 0) : .complete
        // HTTP/1.0 knows no interim responses.
        unprobed = head.isVersion11 ? now : nil
        // RFC 9112 §3.2.
        guard head.hosts == 1 || (head.hosts == 0 && !head.isVersion11) else { return .reject(.host) }
        if !head.keepsAlive { ending = .afterResponse }
        // A body that is announced too large is not asked for; its handler says so. RFC 9110 §10.1.1.
        let isAcceptable = head.announced.map { $0 <= limits.maximumBody } ?? true
        return head.expectsContinue && head.hasBody && head.isVersion11 && isAcceptable ? .acceptAfterContinue : .accept
    }

    /// - Returns: why the body is not taken; nil when it is.
    mutating func requestBodyCame(_ count: Int) -> Rejection? {
        guard case .body(let since, let bytes) = reading else { return nil }
        let (sum, isOver) = bytes.addingReportingOverflow(count)
        reading = .body(since: since, bytes: sum)
        return isOver || sum > limits.maximumBody ? .bodyTooLarge : nil
    }

    mutating func requestEndCame(now: NIODeadline) {
        // The response of a handler that needs no body may have ended before.
        if case .none = response { reading = .idle(since: now) } else { reading = .complete }
    }

    /// The peer has ended its side. Either it waits for its responses, or it has closed its socket: both look the same until it is
    /// sent something, which a socket that is closed answers with a reset (RFC 9293 §3.6.1).
    mutating func inputEnded(now: NIODeadline) {
        inputEnd = inputEnd ?? now
    }

    /// The peer has been sent an interim response.
    mutating func wasProbed() {
        unprobed = nil
    }

    private var probeTime: NIODeadline? {
        guard case .awaited = response, !isEnding, let inputEnd, let unprobed else { return nil }
        return max(inputEnd, unprobed) + HTTPConnection.probeDelay
    }

    // MARK: Responses

    mutating func responseBegan(closes: Bool) {
        response = .begun
        if closes, case .open = ending { ending = .afterResponse }
    }

    /// - Returns: whether the connection ends with it.
    mutating func responseEnded(now: NIODeadline) -> Bool {
        response = .none
        if case .complete = reading { reading = .idle(since: now) }
        guard case .afterResponse = ending else { return isEnding }
        ending = .finishing
        return true
    }

    /// The connection itself answers with a failure, or ends without an answer.
    mutating func finish() {
        if !isEnding { ending = .finishing }
    }

    /// The process shuts down; said again from time to time.
    /// - Returns: whether the connection ends now; otherwise it does after the response in progress, or when it is said again after
    ///   a while in which the client's first request has not come: who has just connected has sent it already, as a rule, and would
    ///   take a connection that is closed for a server that fails.
    mutating func quiesce(now: NIODeadline) -> Bool {
        guard !isBusy else {
            if case .open = ending { ending = .afterResponse }
            return false
        }
        let since = quiescing ?? now
        quiescing = since
        guard !expectsRequest || now - since >= HTTPConnection.quiescenceGrace else { return false }
        finish()
        return true
    }

    /// A request is on its way, as far as can be known.
    private var expectsRequest: Bool {
        if case .head = reading { return true }
        return !hasBeenAsked && !isEnding
    }

    // MARK: Time

    /// What the socket holds back, looked at after each flush and from time to time.
    /// - Parameter acknowledged: bytes that the peer's kernel has acknowledged since the connection began.
    mutating func measured(waiting: Int, acknowledged: Int64, now: NIODeadline) {
        self.waiting = waiting
        lastMeasure = now
        progress.measured(waiting: waiting, acknowledged: acknowledged, now: now)
        guard waiting > 0 else {
            if case .finishing = ending { ending = .lingering(until: now + HTTPConnection.lingerTime) }
            // Idle begins when the last response has gone out.
            if case .idle = reading { reading = .idle(since: now) }
            return
        }
    }

    /// When `timeUp` is to be asked next.
    var deadline: NIODeadline? {
        if case .lingering(let until) = ending { return until }
        let progress = waiting > 0 ? lastMeasure + min(SendProgress.interval, limits.sendTimeout) : nil
        let request: NIODeadline? =
            switch reading {
            case _ where isEnding: nil
            case .idle(let since): waiting > 0 ? nil : since + limits.idleTimeout
            case .head(let since): since + limits.headerTimeout
            case .body(let since, _): since + limits.bodyTimeout
            case .complete: nil
            }
        return Self.earlier(Self.earlier(progress, request), probeTime)
    }

    private static func earlier(_ one: NIODeadline?, _ other: NIODeadline?) -> NIODeadline? {
        guard let one, let other else { return one ?? other }
        return min(one, other)
    }

    /// - Parameter isPressed: memory is short, so peers that hold some of it get less time.
    func timeUp(isPressed: Bool, now: NIODeadline) -> TimeUp {
        if case .lingering(let until) = ending { return now >= until ? .close : .nothing }
        if progress.isStalled(limits, isPressed: isPressed, now: now) { return .closeStalled }
        guard !isEnding else { return .nothing }
        if let probeTime, now >= probeTime { return .probe }
        switch reading {
        case .idle(let since): return waiting == 0 && now - since >= limits.idleTimeout ? .close : .nothing
        case .head(let since): return now - since >= limits.headerTimeout ? .reject(.timeout) : .nothing
        case .body(let since, _): return now - since >= limits.bodyTimeout ? .reject(.timeout) : .nothing
        case .complete: return .nothing
        }
    }
}

extension HTTPConnection.Head {
    /// - Parameter head: of a request that is nothing more than its head.
    init(_ head: RequestHead) {
        self.init(
            isVersion11: head.isVersion11, hosts: head.hostCount, hasBody: false, expectsContinue: false,
            keepsAlive: head.keepsAlive)
    }

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

import NIOCore

/// The server's side of one RTMP connection as a state machine: bytes and times in, events and bytes out.
///
/// Give it what the socket read with ``receive(_:now:)``, then call ``nextEvent()`` until it returns nil, then send
/// ``takeOutput()``. After a request (connect, publish, play) `nextEvent` returns nil until it is answered, however
/// much more has arrived: the answer may take its time, and nothing overtakes it. Stop reading the socket while
/// ``awaitsAnswer`` is true, and drain `nextEvent` again after the answer.
///
/// Any error ends the connection: send what `takeOutput` still has, and close.
public struct ServerSession: Sendable {
    /// What a session is set up with.
    public struct Configuration: Sendable, Hashable {
        public var limits = RTMPLimits()
        /// From the connection's start to the end of the handshake. Default 5 s.
        public var handshakeTimeout = TimeAmount.seconds(5)
        /// From the connection's start to `connect`. Default 10 s.
        public var connectTimeout = TimeAmount.seconds(10)
        /// From `connect`, or the end of the last stream, to `publish` or `play`. Default 30 s.
        public var idleTimeout = TimeAmount.seconds(30)
        /// From an unanswered ping to the end. Default 20 s.
        public var pingTimeout = TimeAmount.seconds(20)

        public init() {}
    }

    enum Phase: Sendable, Equatable {
        case handshake
        case awaitingConnect
        case connectPending(transactionID: Double)
        case connected
        /// Refused; only closing is left.
        case rejected
    }

    let configuration: Configuration
    var phase = Phase.handshake
    private var handshake: ServerHandshake
    var link: MessageLink
    var streams = MessageStreams()
    var aggregate: AggregateParts?
    var capabilities: ExtendedCapabilities = []
    var isEnhancedClient = false
    var objectEncoding = 0
    var ignoredMediaBytes = 0
    private let start: NIODeadline
    /// When the client last had nothing to do: connected without stream.
    private(set) var idleSince: NIODeadline
    private(set) var now: NIODeadline
    private var failure: RTMPError?

    /// - Parameters:
    ///   - now: when the connection was accepted; times given later must not be earlier.
    ///   - seed: for the handshake's filler bytes, which protect nothing.
    public init(
        configuration: Configuration = Configuration(), now: NIODeadline, seed: UInt64 = .random(in: .min ... .max)
    ) {
        self.configuration = configuration
        handshake = ServerHandshake(seed: seed)
        link = MessageLink(limits: configuration.limits)
        start = now
        idleSince = now
        self.now = now
    }

    // MARK: Bytes

    /// Takes bytes from the client. Call ``nextEvent()`` afterwards until it returns nil.
    /// - Parameter acknowledges: false while earlier output still waits for the client. Each acknowledgement says how much has
    ///   come in all, so a later one serves as well; clients that never read them do not make them pile up.
    public mutating func receive(
        _ bytes: ByteBuffer, now: NIODeadline, acknowledges: Bool = true
    ) throws(RTMPError) {
        self.now = now
        if let failure { throw failure }
        do throws(RTMPError) {
            var bytes = bytes
            if phase == .handshake {
                try shakeHands(&bytes)
            }
            if bytes.readableBytes > 0 { try link.receive(bytes, now: now, acknowledges: acknowledges) }
        } catch {
            failure = error
            throw error
        }
    }

    private mutating func shakeHands(_ bytes: inout ByteBuffer) throws(RTMPError) {
        var output = ByteBuffer()
        try handshake.receive(&bytes, output: &output)
        link.append(handshake: output)
        phase = handshake.isDone ? .awaitingConnect : .handshake
    }

    /// The next thing the client did.
    /// - Returns: nil when more bytes or an answer are needed.
    public mutating func nextEvent() throws(RTMPError) -> ServerEvent? {
        if let failure { throw failure }
        do throws(RTMPError) {
            while !awaitsAnswer, phase != .rejected {
                if let part = try aggregate?.next() {
                    if let event = try handle(part) { return event }
                    continue
                }
                aggregate = nil
                guard let inbound = try link.next() else { return nil }
                if let event = try handle(inbound) { return event }
            }
            return nil
        } catch {
            failure = error
            throw error
        }
    }

    /// Bytes to send now; nil when there are none.
    public mutating func takeOutput() -> ByteBuffer? {
        link.takeOutput()
    }

    // MARK: State

    /// A request waits for its answer; see ``nextEvent()``.
    public var awaitsAnswer: Bool {
        if case .connectPending = phase { return true }
        return streams.hasPending
    }

    /// Bytes received after the handshake.
    public var bytesReceived: UInt64 {
        link.bytesReceived
    }

    /// Bytes the client has acknowledged, in steps of our window of 2.5 MB. Many clients never do.
    public var peerAcknowledgedBytes: UInt64 {
        link.peerAcknowledgedBytes
    }

    /// Whether the client understands ``requestReconnect(tcURL:description:)``.
    public var canReconnect: Bool {
        capabilities.contains(.reconnect)
    }

    /// When the client last sent anything.
    public var lastReceived: NIODeadline {
        link.lastReceived ?? start
    }

    /// When the session is to be ended unless the client does what is expected; nil when nothing is.
    public var deadline: NIODeadline? {
        switch phase {
        case .handshake: return start + configuration.handshakeTimeout
        case .awaitingConnect: return start + configuration.connectTimeout
        case .connectPending, .rejected: return nil
        case .connected:
            let ping = link.unansweredPing.map { $0 + configuration.pingTimeout }
            let idle = streams.isIdle ? idleSince + configuration.idleTimeout : nil
            guard let ping, let idle else { return ping ?? idle }
            return min(ping, idle)
        }
    }

    /// Whether ``deadline`` has passed: the error to end with.
    public func expired(now: NIODeadline) -> RTMPError? {
        guard let deadline, now >= deadline else { return nil }
        switch phase {
        case .handshake: return RTMPError(.timeout, "The handshake was not completed in time.")
        case .awaitingConnect: return RTMPError(.timeout, "No connect came in time.")
        default: break
        }
        if let ping = link.unansweredPing, ping + configuration.pingTimeout <= now {
            return RTMPError(.timeout, "A ping was not answered in time.")
        }
        return RTMPError(.timeout, "Neither publish nor play came in time.")
    }

    /// Asks the client for a sign of life; any byte from it counts. See ``deadline``.
    public mutating func ping(now: NIODeadline) {
        self.now = now
        guard phase == .connected else { return }
        link.ping(now: now)
    }

    mutating func noteIdle() {
        if streams.isIdle { idleSince = now }
    }
}

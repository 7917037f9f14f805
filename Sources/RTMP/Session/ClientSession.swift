import NIOCore

/// The client's side of one RTMP connection as a state machine: for pushes, and for playing in tests and measurements.
///
/// Send ``takeOutput()`` once at the start; then give it what the socket read with ``receive(_:now:)``, call
/// ``nextEvent()`` until it returns nil, and send `takeOutput()` again. Commands go out strictly one after the other,
/// each when the last was answered, and nothing belonging to the stream before `NetStream.Publish.Start`.
///
/// Any error ends the connection.
public struct ClientSession: Sendable {
    enum Phase: Sendable, Equatable {
        case handshake
        case connecting
        /// `releaseStream` and `FCPublish` are not waited for: many servers do not answer them.
        case creatingStream
        case starting(streamID: UInt32)
        case running(streamID: UInt32)
        /// Refused, closed, or stopped by us.
        case ended
    }

    enum Transaction {
        static let connect = 1.0
        static let releaseStream = 2.0
        static let fcPublish = 3.0
        static let createStream = 4.0
        static let start = 5.0
        static let fcUnpublish = 6.0
    }

    public let configuration: ClientConfiguration
    var phase = Phase.handshake
    private var handshake: ClientHandshake
    var link: MessageLink
    var aggregate: AggregateParts?
    /// What the server said it can do.
    public internal(set) var serverCapabilities: ExtendedCapabilities = []
    let clientChallenge: String
    private let start: NIODeadline
    private var failure: RTMPError?

    /// - Parameters:
    ///   - now: when the connection was opened.
    ///   - seed: for the handshake's filler bytes and the challenge of `authmod=adobe`, which a server only hashes.
    public init(
        configuration: ClientConfiguration, now: NIODeadline, seed: UInt64 = .random(in: .min ... .max)
    ) {
        self.configuration = configuration
        var random = HandshakeRandom(seed: seed)
        let digits = String(random.next() & 0xFFFF_FFFF, radix: 16)
        clientChallenge = String(repeating: "0", count: 8 - digits.utf8.count) + digits
        handshake = ClientHandshake(seed: seed)
        link = MessageLink(limits: configuration.limits)
        start = now
        var output = ByteBuffer()
        handshake.start(output: &output)
        link.append(handshake: output)
    }

    /// Takes bytes from the server. Call ``nextEvent()`` afterwards until it returns nil.
    public mutating func receive(_ bytes: ByteBuffer, now: NIODeadline) throws(RTMPError) {
        if let failure { throw failure }
        do throws(RTMPError) {
            var bytes = bytes
            if phase == .handshake {
                var output = ByteBuffer()
                try handshake.receive(&bytes, output: &output)
                link.append(handshake: output)
                if handshake.isDone {
                    phase = .connecting
                    sendConnect()
                }
            }
            if bytes.readableBytes > 0 { try link.receive(bytes, now: now) }
        } catch {
            failure = error
            throw error
        }
    }

    /// The next thing the server did.
    /// - Returns: nil when more bytes are needed.
    public mutating func nextEvent() throws(RTMPError) -> ClientEvent? {
        if let failure { throw failure }
        do throws(RTMPError) {
            while phase != .ended {
                if let part = try aggregate?.next() {
                    if let event = try handle(part) { return event }
                    continue
                }
                aggregate = nil
                guard let inbound = try link.next() else { return nil }
                switch inbound {
                case .message(let message):
                    if let event = try handle(message) { return event }
                case .setPeerBandwidth(let size):
                    // §5.4.5: the answer is our window, which is then the server's to acknowledge.
                    link.send(.windowAcknowledgementSize(size))
                case .userControl:
                    break
                }
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

    /// The message stream media is sent on (or comes on); nil before the server has created one. It is 1 with nearly
    /// every server, and then chunks made for viewers can be sent as they are.
    public var streamID: UInt32? {
        switch phase {
        case .starting(let id), .running(let id): id
        default: nil
        }
    }

    /// Whether media may be sent or comes.
    public var isRunning: Bool {
        if case .running = phase { true } else { false }
    }

    /// Bytes received after the handshake.
    public var bytesReceived: UInt64 {
        link.bytesReceived
    }

    /// Bytes the server has acknowledged. Servers decide how often; many never do.
    public var peerAcknowledgedBytes: UInt64 {
        link.peerAcknowledgedBytes
    }

    /// When the session is to be given up unless the server does what is expected; nil when nothing is.
    public var deadline: NIODeadline? {
        switch phase {
        case .handshake: start + configuration.handshakeTimeout
        case .connecting, .creatingStream, .starting: start + configuration.startTimeout
        case .running: link.unansweredPing.map { $0 + configuration.pingTimeout }
        case .ended: nil
        }
    }

    /// Whether ``deadline`` has passed: the error to end with.
    public func expired(now: NIODeadline) -> RTMPError? {
        guard let deadline, now >= deadline else { return nil }
        let step =
            switch phase {
            case .handshake: "The handshake was not completed in time."
            case .connecting: "The server did not answer connect in time."
            case .creatingStream: "The server did not answer createStream in time."
            case .starting:
                "The server did not answer \(configuration.purpose == .publish ? "publish" : "play") in time."
            case .running, .ended: "A ping was not answered in time."
            }
        return RTMPError(.timeout, step)
    }

    /// Asks the server for a sign of life; any byte from it counts. See ``deadline``. For playing only: some servers do
    /// not answer pings of publishers.
    public mutating func ping(now: NIODeadline) {
        guard isRunning else { return }
        link.ping(now: now)
    }
}

import NIOCore

/// What both sides of a connection do alike once the handshake is over: chunks in both directions, acknowledgements,
/// windows and pings.
struct MessageLink: Sendable {
    /// What comes out of it.
    enum Inbound: Sendable {
        case message(RTMPMessage)
        case userControl(UserControlEvent)
        case setPeerBandwidth(UInt32)
    }

    /// Wanted by us: an acknowledgement every so many bytes. 2.5 MB as most servers announce.
    static let windowSize: UInt32 = 2_500_000

    private(set) var decoder: ChunkDecoder
    private var encoder = ChunkEncoder()
    private(set) var output = ByteBuffer()
    private let maxOutputBytes: Int

    /// Bytes received after the handshake.
    private(set) var bytesReceived: UInt64 = 0
    private var acknowledgedToPeer: UInt64 = 0
    private var peerWindow = MessageLink.windowSize
    /// Bytes the peer has said it received, unwrapped.
    private(set) var peerAcknowledgedBytes: UInt64 = 0
    private(set) var lastReceived: NIODeadline?
    /// When the oldest ping without any sign of life since was sent.
    private(set) var unansweredPing: NIODeadline?

    init(limits: RTMPLimits) {
        decoder = ChunkDecoder(limits: limits)
        maxOutputBytes = limits.maxOutputBytes
    }

    // MARK: Receiving

    mutating func receive(_ bytes: ByteBuffer, now: NIODeadline, acknowledges: Bool = true) throws(RTMPError) {
        lastReceived = now
        unansweredPing = nil
        bytesReceived &+= UInt64(bytes.readableBytes)
        // At half the window, as ffmpeg and SRS do, so that a peer which waits for it never stops; and at least 512
        // bytes apart, whatever window the peer asked for.
        let interval = UInt64(max(512, peerWindow / 2))
        if acknowledges, bytesReceived &- acknowledgedToPeer >= interval {
            acknowledgedToPeer = bytesReceived
            send(.acknowledgement(UInt32(truncatingIfNeeded: bytesReceived)))
        }
        try decoder.receive(bytes, now: now)
    }

    /// The next thing for the session to know; what concerns the link alone is dealt with here.
    /// - Throws: what the decoder throws, and `tooMuchBuffered` when the peer does not read what it asks for.
    mutating func next() throws(RTMPError) -> Inbound? {
        while let message = try decoder.next() {
            guard output.readableBytes <= maxOutputBytes else {
                throw RTMPError(.tooMuchBuffered, "More than \(maxOutputBytes) bytes of replies wait to be sent.")
            }
            switch message.type {
            case .acknowledgement:
                if case .acknowledgement(let count) = try control(message) { noteAcknowledgement(count) }
            case .windowAcknowledgementSize:
                if case .windowAcknowledgementSize(let size) = try control(message), size > 0 { peerWindow = size }
            case .setPeerBandwidth:
                if case .setPeerBandwidth(let size, _) = try control(message) { return .setPeerBandwidth(size) }
            case .userControl:
                let event = try UserControlEvent(body: message.body)
                guard case .pingRequest(let value) = event else { return .userControl(event) }
                send(.pingResponse(value))
            default:
                return .message(message)
            }
        }
        return nil
    }

    private func control(_ message: RTMPMessage) throws(RTMPError) -> ProtocolControlMessage {
        try ProtocolControlMessage(type: message.type, body: message.body)
    }

    /// The peer counts modulo 2³²; smaller steps back (a peer that starts anew) are ignored.
    private mutating func noteAcknowledgement(_ count: UInt32) {
        let step = count &- UInt32(truncatingIfNeeded: peerAcknowledgedBytes)
        if step < 0x8000_0000 { peerAcknowledgedBytes &+= UInt64(step) }
    }

    // MARK: Sending

    mutating func send(_ message: RTMPMessage) {
        encoder.encode(message, into: &output)
    }

    mutating func send(_ control: ProtocolControlMessage) {
        send(control.message)
    }

    mutating func send(_ event: UserControlEvent) {
        send(event.message)
    }

    mutating func send(_ command: RTMPCommand, streamID: UInt32 = 0) {
        send(command.message(streamID: streamID))
    }

    mutating func setChunkSize(_ size: Int) {
        encoder.setChunkSize(size, into: &output)
    }

    mutating func append(handshake bytes: ByteBuffer) {
        output.writeImmutableBuffer(bytes)
    }

    mutating func ping(now: NIODeadline) {
        send(.pingRequest(UInt32(truncatingIfNeeded: now.uptimeNanoseconds / 1_000_000)))
        if unansweredPing == nil { unansweredPing = now }
    }

    mutating func takeOutput() -> ByteBuffer? {
        guard output.readableBytes > 0 else { return nil }
        defer { output = ByteBuffer() }
        return output
    }
}

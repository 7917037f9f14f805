import NIOCore

/// What both sides of a connection do alike once the handshake is over: chunks in both directions, aggregate messages and
/// those of several tracks taken apart, acknowledgements, windows and pings.
struct MessageLink: Sendable {
    /// What comes out of it.
    enum Inbound: Sendable {
        /// Never an aggregate message, nor audio or video of several tracks: their parts come one by one.
        case message(RTMPMessage)
        case userControl(UserControlEvent)
        case setPeerBandwidth(UInt32)
    }

    /// This side asks for an acknowledgement every so many bytes: 2.5 MB as most servers do.
    static let windowSize: UInt32 = 2_500_000

    private let limits: RTMPLimits
    private var decoder: ChunkDecoder
    /// The rest of an aggregate message. It goes before what the decoder has.
    private var aggregate: AggregateParts?
    /// The rest of a message of several tracks. It goes first of all.
    private var tracks: ArraySlice<RTMPMessage> = []
    private var encoder = ChunkEncoder()
    private var output = ByteBuffer()

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
        self.limits = limits
        decoder = ChunkDecoder(limits: limits)
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
        while let message = try nextMessage() {
            guard output.readableBytes <= limits.maxOutputBytes else {
                throw RTMPError(
                    .tooMuchBuffered, "More than \(limits.maxOutputBytes) bytes of replies wait to be sent.")
            }
            switch message.type {
            case .acknowledgement:
                if case .acknowledgement(let count) = try control(message) { acknowledge(count) }
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

    private mutating func nextMessage() throws(RTMPError) -> RTMPMessage? {
        while true {
            if let track = tracks.popFirst() {
                try decoder.chargePart(payload: track.body.readableBytes)
                return track
            }
            tracks = []
            guard let message = try nextWhole() else { return nil }
            guard let parts = message.trackParts() else { return message }
            tracks = parts[...]
        }
    }

    private mutating func nextWhole() throws(RTMPError) -> RTMPMessage? {
        while true {
            if let part = try aggregate?.next() {
                try decoder.chargePart(payload: part.body.readableBytes)
                let limit = limits.maxSize(of: part.type)
                guard part.body.readableBytes <= limit else {
                    throw RTMPError(
                        .messageTooLarge,
                        "\(part.type) of \(part.body.readableBytes) bytes in an aggregate message; at most \(limit) are taken."
                    )
                }
                return part
            }
            aggregate = nil
            guard let message = try decoder.next() else { return nil }
            guard message.type == .aggregate else { return message }
            aggregate = AggregateParts(message)
        }
    }

    private func control(_ message: RTMPMessage) throws(RTMPError) -> ProtocolControlMessage {
        try ProtocolControlMessage(type: message.type, body: message.body)
    }

    /// The peer counts modulo 2³²; smaller steps back (a peer that starts anew) are ignored.
    private mutating func acknowledge(_ count: UInt32) {
        let step = count &- UInt32(truncatingIfNeeded: peerAcknowledgedBytes)
        if step < 0x8000_0000 { peerAcknowledgedBytes &+= UInt64(step) }
    }

    /// What was received and has not been dealt with, by capacity.
    var heldBytes: Int {
        tracks.reduce(decoder.heldBytes + (aggregate?.heldBytes ?? 0)) { $0 + $1.body.storageCapacity }
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

    /// Answers a command, unless it asked for none.
    mutating func answer(_ command: RTMPCommand, _ value: AMFValue) {
        guard command.transactionID != 0 else { return }
        send(RTMPCommand("_result", transactionID: command.transactionID, arguments: [value]))
    }

    /// Answers a command that is not known, unless it asked for no answer.
    mutating func refuse(_ command: RTMPCommand) {
        guard command.transactionID != 0 else { return }
        let status = RTMPStatus(level: .error, code: "NetConnection.Call.Failed", description: "Unknown method.")
        send(RTMPCommand("_error", transactionID: command.transactionID, arguments: [.object(status.object)]))
    }

    /// Sends one of Flash Media Server's notices, such as `onFCPublish`, on the connection.
    mutating func sendNotice(_ method: String, _ code: String, _ description: String) {
        let object = RTMPStatus(level: .status, code: code, description: description).object
        send(RTMPCommand(method, transactionID: 0, arguments: [.object(object)]))
    }

    /// Sends `onStatus` on a message stream.
    /// - Parameter details: the stream's name.
    mutating func send(_ status: RTMPStatus, streamID: UInt32, details: String? = nil) {
        var object = status.object
        if let details { object["details"] = .string(details) }
        send(RTMPCommand("onStatus", transactionID: 0, arguments: [.object(object)]), streamID: streamID)
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

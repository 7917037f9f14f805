import Basics
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
    private enum Phase: Sendable, Equatable {
        case handshake
        case awaitingConnect
        case connectPending(ConnectRequest)
        /// What the client said it can do.
        case connected(ExtendedCapabilities)
        /// Refused; only closing is left.
        case rejected
    }

    private let configuration: Configuration
    private let start: NIODeadline
    private var phase = Phase.handshake
    private var handshake: ServerHandshake
    private var link: MessageLink
    private var streams = MessageStreams()
    /// What a command causes besides the event it is answered with.
    private var followingEvent: ServerEvent?
    private var ignoredMediaBytes = 0
    /// Since when the client has neither published nor played. Nil when this side refused or ended its stream: the client may
    /// not have sent anything for hours, so the next check of the time sets it.
    private var idleSince: NIODeadline?
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
    }

    // MARK: Bytes

    /// Takes bytes from the client. Call ``nextEvent()`` afterwards until it returns nil.
    /// - Parameter acknowledges: false while earlier output still waits for the client. Each acknowledgement says how much has
    ///   come in all, so a later one serves as well; clients that never read them do not make them pile up.
    public mutating func receive(
        _ bytes: ByteBuffer, now: NIODeadline, acknowledges: Bool = true
    ) throws(RTMPError) {
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

    /// The next thing the client did. Each call deals with one message that matters to the caller, parts of aggregate messages
    /// included, so a caller may stop in between and go on later.
    /// - Returns: nil when more bytes or an answer are needed.
    /// - Throws: any ``RTMPError``. `tooMuchBuffered` when the replies that no ``takeOutput()`` has taken exceed
    ///   ``RTMPLimits/maxOutputBytes``; bytes taken are the caller's to count.
    public mutating func nextEvent() throws(RTMPError) -> ServerEvent? {
        if let failure { throw failure }
        do throws(RTMPError) {
            if let event = followingEvent {
                followingEvent = nil
                return event
            }
            while !awaitsAnswer, phase != .rejected {
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

    /// Memory of what was received and is not dealt with: messages that are not whole, what came while an answer is awaited.
    public var heldBytes: Int { link.heldBytes }

    /// Bytes received after the handshake.
    public var bytesReceived: UInt64 { link.bytesReceived }

    /// Bytes the client has acknowledged, in steps of the 2.5 MB that the session asks for. Many clients never do.
    public var peerAcknowledgedBytes: UInt64 {
        link.peerAcknowledgedBytes
    }

    /// Whether the client understands ``requestReconnect(tcURL:description:)``.
    public var canReconnect: Bool {
        if case .connected(let capabilities) = phase { capabilities.contains(.reconnect) } else { false }
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
            let idle = isIdle ? idleSince.map { $0 + configuration.idleTimeout } : nil
            guard let ping, let idle else { return ping ?? idle }
            return min(ping, idle)
        }
    }

    /// Whether ``deadline`` has passed: the error to end with. To be asked every few seconds; a client whose stream this side
    /// ended is idle from the next time on.
    public mutating func expired(now: NIODeadline) -> RTMPError? {
        if isIdle, idleSince == nil { idleSince = now }
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
        guard isConnected else { return }
        link.ping(now: now)
    }

    private var isConnected: Bool {
        if case .connected = phase { true } else { false }
    }

    /// Whether the client could publish or play and does not ask for it.
    private var isIdle: Bool {
        isConnected && streams.isIdle && !streams.hasPending
    }

    // MARK: Answers
    //
    // An answer that fits no question does nothing and returns false: the question may have been overtaken by the end of the
    // stream.

    /// Lets the client in: window, bandwidth, chunk size, `_result`.
    @discardableResult
    public mutating func acceptConnect() -> Bool {
        guard case .connectPending(let request) = phase else { return false }
        phase = .connected(request.capabilities)
        idleSince = lastReceived
        link.send(.windowAcknowledgementSize(MessageLink.windowSize))
        link.send(.setPeerBandwidth(MessageLink.windowSize, .dynamic))
        link.setChunkSize(RTMP.outgoingChunkSize)
        link.send(request.acceptance)
        return true
    }

    /// Refuses the client; close once the output is sent.
    /// - Parameters:
    ///   - code: usually `NetConnection.Connect.Rejected`, or `…InvalidApp`.
    ///   - description: shown by encoders; ``AdobeAuthentication/Rejection`` goes here.
    @discardableResult
    public mutating func rejectConnect(
        code: String = "NetConnection.Connect.Rejected", description: String
    ) -> Bool {
        guard case .connectPending(let request) = phase else { return false }
        phase = .rejected
        let information = RTMPStatus(level: .error, code: code, description: description).object
        link.send(RTMPCommand("_error", transactionID: request.transactionID, arguments: [.object(information)]))
        return true
    }

    /// Lets the client publish: StreamBegin, `NetStream.Publish.Start`.
    @discardableResult
    public mutating func acceptPublish(streamID: UInt32) -> Bool {
        guard streams.state(of: streamID) == .publishPending else { return false }
        streams.set(streamID, .publishing)
        link.send(.streamBegin(streamID: streamID))
        status(
            streamID, "NetStream.Publish.Start", "\(shownName(of: streamID)) is now published.")
        return true
    }

    /// - Parameter code: `NetStream.Publish.BadName` (taken, unknown) or `NetStream.Publish.Denied`.
    @discardableResult
    public mutating func refusePublish(
        streamID: UInt32, code: String = "NetStream.Publish.BadName", description: String
    ) -> Bool {
        refuse(.publishPending, streamID, code, description)
    }

    /// Ends a publication from this side (a kick, a takeover); what the client still sends is thrown away.
    /// - Parameter code: such as `NetStream.Publish.BadName`.
    @discardableResult
    public mutating func endPublish(streamID: UInt32, code: String, description: String) -> Bool {
        refuse(.publishing, streamID, code, description)
    }

    /// Lets the client play. Media may follow, chunked with ``RTMP/outgoingChunkSize`` on message stream `streamID`.
    /// - Parameter isRecorded: for files: says StreamIsRecorded first.
    @discardableResult
    public mutating func acceptPlay(streamID: UInt32, isRecorded: Bool = false) -> Bool {
        guard streams.state(of: streamID) == .playPending else { return false }
        streams.set(streamID, .playing)
        let name = shownName(of: streamID)
        if isRecorded { link.send(.streamIsRecorded(streamID: streamID)) }
        link.send(.streamBegin(streamID: streamID))
        if streams.isReset(streamID) {
            status(streamID, "NetStream.Play.Reset", "Playing and resetting \(name).")
        }
        status(streamID, "NetStream.Play.Start", "Started playing \(name).")
        link.send(
            RTMPDataMessage(streamID: streamID, name: "|RtmpSampleAccess", values: [true, true]).message)
        let started: AMFObject = ["code": "NetStream.Data.Start"]
        link.send(RTMPDataMessage(streamID: streamID, name: "onStatus", values: [.object(started)]).message)
        return true
    }

    /// - Parameter code: `NetStream.Play.StreamNotFound` or `NetStream.Play.Failed`.
    @discardableResult
    public mutating func refusePlay(
        streamID: UInt32, code: String = "NetStream.Play.StreamNotFound", description: String
    ) -> Bool {
        refuse(.playPending, streamID, code, description)
    }

    /// Tells a player that the position it asked for is taken; `NetStream.Play.Start` follows as players expect.
    @discardableResult
    public mutating func acceptSeek(streamID: UInt32, milliseconds: Double) -> Bool {
        guard streams.state(of: streamID) == .playing else { return false }
        link.send(.streamBegin(streamID: streamID))
        status(streamID, "NetStream.Seek.Notify", "Seeking \(milliseconds) ms.")
        status(streamID, "NetStream.Play.Start", "Started playing \(shownName(of: streamID)).")
        return true
    }

    @discardableResult
    public mutating func refuseSeek(streamID: UInt32, description: String) -> Bool {
        guard streams.state(of: streamID) == .playing else { return false }
        status(streamID, "NetStream.Seek.Failed", description, level: .error)
        return true
    }

    // MARK: Notices

    /// Sends a player news of its stream; nothing happens on a stream that is not being played.
    @discardableResult
    public mutating func notify(_ notice: PlayNotice, streamID: UInt32) -> Bool {
        guard streams.state(of: streamID) == .playing else { return false }
        let name = shownName(of: streamID)
        switch notice {
        case .unpublished:
            status(streamID, "NetStream.Play.UnpublishNotify", "\(name) is now unpublished.")
        case .published:
            link.send(.streamBegin(streamID: streamID))
            status(streamID, "NetStream.Play.PublishNotify", "\(name) is now published.")
        case .ended:
            link.send(.streamEOF(streamID: streamID))
            status(streamID, "NetStream.Play.Stop", "Stopped playing \(name).")
            // onPlayStatus is what file players wait for, and rtmpdump ends on it.
            let complete = RTMPStatus(level: .status, code: "NetStream.Play.Complete", description: "").object
            link.send(RTMPDataMessage(streamID: streamID, name: "onPlayStatus", values: [.object(complete)]).message)
            streams.set(streamID, .idle)
            idleSince = nil
        case .dry:
            link.send(.streamDry(streamID: streamID))
        case .failed(let description):
            return refuse(.playing, streamID, "NetStream.Play.Failed", description)
        }
        return true
    }

    /// Ends what a stream is doing, or asking for, with an error.
    private mutating func refuse(
        _ state: MessageStreams.State, _ streamID: UInt32, _ code: String, _ description: String
    ) -> Bool {
        guard streams.state(of: streamID) == state else { return false }
        streams.set(streamID, .refused)
        idleSince = nil
        status(streamID, code, description, level: .error)
        return true
    }

    /// Asks an enhanced RTMP client to connect anew and carry on there: for a drain without a gap.
    /// - Parameter tcURL: where to; nil for the same address.
    /// - Returns: false, and nothing sent, when the client does not understand it.
    @discardableResult
    public mutating func requestReconnect(tcURL: String? = nil, description: String) -> Bool {
        guard canReconnect else { return false }
        var object = RTMPStatus(
            level: .status, code: "NetConnection.Connect.ReconnectRequest", description: description
        ).object
        if let tcURL { object["tcUrl"] = .string(tcURL) }
        link.send(RTMPCommand("onStatus", transactionID: 0, arguments: [.object(object)]))
        return true
    }

    /// Says that this side is about to close the connection.
    public mutating func sendClose(description: String) {
        guard isConnected else { return }
        link.send(
            RTMPStatus(level: .status, code: "NetConnection.Connect.Closed", description: description), streamID: 0)
    }

    /// Sends one message to a player on its stream. Fine for metadata and tests; a stream's media goes out as
    /// ``SharedChunks`` shared by all viewers, written to the socket after ``takeOutput()``.
    @discardableResult
    public mutating func send(
        _ type: RTMPMessageType, timestamp: UInt32, body: ByteBuffer, streamID: UInt32
    ) -> Bool {
        guard streams.state(of: streamID) == .playing else { return false }
        link.send(RTMPMessage(type: type, streamID: streamID, timestamp: timestamp, body: body))
        return true
    }

    // MARK: Messages

    private mutating func handle(_ inbound: MessageLink.Inbound) throws(RTMPError) -> ServerEvent? {
        switch inbound {
        case .message(let message): return try handle(message)
        case .userControl(.setBufferLength(let id, let length)):
            return streams.resolve(id).map { .bufferLength(streamID: $0, milliseconds: length) }
        case .userControl, .setPeerBandwidth: return nil
        }
    }

    /// - Returns: nil when the message concerns the session alone.
    private mutating func handle(_ message: RTMPMessage) throws(RTMPError) -> ServerEvent? {
        switch message.type {
        case .audio, .video:
            return try media(message)
        case .dataAMF0, .dataAMF3:
            return try data(message)
        case .commandAMF0, .commandAMF3:
            return try handle(
                RTMPCommand(message, limits: configuration.limits.commandAMF), streamID: message.streamID)
        default:
            // Shared objects and unknown types: real servers pass over them.
            return nil
        }
    }

    private mutating func media(_ message: RTMPMessage) throws(RTMPError) -> ServerEvent? {
        guard let id = streams.resolve(message.streamID), streams.state(of: id) == .publishing else {
            try ignoreMedia(message)
            return nil
        }
        return .media(
            MediaMessage(
                streamID: id, timestamp: message.timestamp, isVideo: message.type == .video, body: message.body))
    }

    /// After an unpublish or a refusal frames may still be on their way; a peer that never publishes is cut off.
    private mutating func ignoreMedia(_ message: RTMPMessage) throws(RTMPError) {
        guard isConnected else {
            throw RTMPError(.protocolViolation, "A \(message.type) before connect.")
        }
        // Empty messages are work too.
        ignoredMediaBytes += max(64, message.body.readableBytes)
        guard ignoredMediaBytes <= configuration.limits.maxIgnoredMediaBytes else {
            throw RTMPError(.protocolViolation, "Media is sent though no stream is being published.")
        }
    }

    private mutating func data(_ message: RTMPMessage) throws(RTMPError) -> ServerEvent? {
        guard let id = streams.resolve(message.streamID), streams.state(of: id) == .publishing else {
            try ignoreMedia(message)
            return nil
        }
        // Data is an addition to the stream: an encoder whose metadata does not parse is still worth watching. But what
        // breaks a limit does so on purpose.
        var data: RTMPDataMessage
        do throws(RTMPError) {
            data = try RTMPDataMessage(message, limits: configuration.limits.dataAMF)
        } catch {
            guard error.code == .amfLimitExceeded else { return nil }
            throw error
        }
        data.streamID = id
        return data.name == "onMetaData" ? .metadata(data) : .data(data)
    }

    // MARK: Commands

    private mutating func handle(_ command: RTMPCommand, streamID: UInt32) throws(RTMPError) -> ServerEvent? {
        guard isConnected else {
            guard phase == .awaitingConnect, command.name == "connect" else {
                throw RTMPError(.protocolViolation, "\(printable(command.name)) before connect.")
            }
            return try connect(command)
        }
        switch command.name {
        case "connect":
            throw RTMPError(.protocolViolation, "A second connect.")
        case "createStream", "initStream":
            try createStream(command)
        case "publish":
            return try publish(command, streamID)
        case "play":
            return try play(command, streamID)
        case "deleteStream":
            guard let id = command.argument(0).number.flatMap({ UInt32(exactly: $0) }) else { return nil }
            defer { streams.remove(id) }
            return close(id)
        case "closeStream":
            return streams.resolve(streamID).flatMap { close($0) }
        case "releaseStream", "FCPublish", "FCUnpublish", "FCSubscribe", "FCUnsubscribe":
            return flashCommunication(command)
        case "getStreamLength":
            // Seconds; 0 stands for live.
            link.answer(command, .number(0))
        case "_checkbw", "checkBandwidth":
            link.answer(command, .undefined)
        case "pause", "pauseRaw", "seek", "receiveAudio", "receiveVideo":
            return playerControl(command, streamID)
        case "_result", "_error", "onStatus":
            return nil
        default:
            link.refuse(command)
        }
        return nil
    }

    private mutating func connect(_ command: RTMPCommand) throws(RTMPError) -> ServerEvent? {
        let request = try ConnectRequest(command, maxNameSize: configuration.limits.maxNameSize)
        phase = .connectPending(request)
        return .connectRequested(request)
    }

    private mutating func createStream(_ command: RTMPCommand) throws(RTMPError) {
        guard let id = streams.create(limit: configuration.limits.maxMessageStreams) else {
            throw RTMPError(
                .protocolViolation, "More than \(configuration.limits.maxMessageStreams) streams on one connection.")
        }
        link.answer(command, .number(Double(id)))
    }

    private mutating func publish(_ command: RTMPCommand, _ streamID: UInt32) throws(RTMPError) -> ServerEvent? {
        // publish(false) is ActionScript's way to end a publication.
        if case .boolean(false) = command.argument(0) {
            return streams.resolve(streamID).flatMap { close($0) }
        }
        let id = try freeStream(streamID, for: "publish")
        let name = try StreamName(of: command, maxSize: configuration.limits.maxNameSize)
        streams.set(id, .publishPending, name: name)
        let kind = command.argument(1).string.flatMap { PublishRequest.Kind(rawValue: $0.lowercased()) } ?? .live
        return .publishRequested(PublishRequest(streamID: id, name: name, kind: kind))
    }

    private mutating func play(_ command: RTMPCommand, _ streamID: UInt32) throws(RTMPError) -> ServerEvent? {
        if case .boolean(false) = command.argument(0) {
            return streams.resolve(streamID).flatMap { close($0) }
        }
        let id = try freeStream(streamID, for: "play", orPlaying: true)
        let name = try StreamName(of: command, maxSize: configuration.limits.maxNameSize)
        // Some clients send start and duration in milliseconds; they are passed on as they are.
        let reset = command.argument(3).boolean ?? true
        let wasPlaying = streams.state(of: id) == .playing
        streams.set(id, .playPending, name: name, isReset: reset)
        let request = PlayRequest(
            streamID: id, name: name, start: command.argument(1).number ?? -2,
            duration: command.argument(2).number ?? -1, reset: reset)
        guard wasPlaying else { return .playRequested(request) }
        // A play while playing switches to another stream: the old play ends before the new one is asked for.
        followingEvent = .playRequested(request)
        return .playStopped(streamID: id)
    }

    private func freeStream(
        _ streamID: UInt32, for command: String, orPlaying: Bool = false
    ) throws(RTMPError) -> UInt32 {
        guard let id = streams.resolve(streamID), let state = streams.state(of: id) else {
            throw RTMPError(
                .protocolViolation, "A \(command) on message stream \(streamID), which was not created.")
        }
        switch state {
        case .idle, .refused: return id
        case .playing where orPlaying: return id
        case .publishing, .publishPending:
            throw RTMPError(.protocolViolation, "A \(command) on message stream \(id), which is being published.")
        case .playing, .playPending:
            throw RTMPError(.protocolViolation, "A \(command) on message stream \(id), which is being played.")
        }
    }

    /// Flash Media Live Encoder's additions, answered as Flash Media Server does.
    private mutating func flashCommunication(_ command: RTMPCommand) -> ServerEvent? {
        let name = command.argument(0).string ?? ""
        let shown = name.cut()
        link.answer(command, .undefined)
        switch command.name {
        case "FCPublish":
            link.sendNotice("onFCPublish", "NetStream.Publish.Start", shown)
        case "FCSubscribe":
            link.sendNotice("onFCSubscribe", "NetStream.Play.Start", shown)
        case "FCUnsubscribe":
            link.sendNotice("onFCUnsubscribe", "NetStream.Play.Stop", shown)
        case "FCUnpublish":
            link.sendNotice("onFCUnpublish", "NetStream.Unpublish.Success", shown)
            return streams.publishing(named: name).flatMap { close($0) }
        default: break
        }
        return nil
    }

    private mutating func playerControl(_ command: RTMPCommand, _ streamID: UInt32) -> ServerEvent? {
        guard let id = streams.resolve(streamID), streams.state(of: id) == .playing else { return nil }
        switch command.name {
        case "pause", "pauseRaw":
            let isPaused = command.argument(0).boolean ?? true
            let name = shownName(of: id)
            status(
                id, isPaused ? "NetStream.Pause.Notify" : "NetStream.Unpause.Notify",
                "\(isPaused ? "Pausing" : "Unpausing") \(name).")
            return .paused(streamID: id, isPaused: isPaused, milliseconds: command.argument(1).number ?? 0)
        case "seek": return .seek(streamID: id, milliseconds: command.argument(0).number ?? 0)
        case "receiveAudio": return .receiveAudio(streamID: id, command.argument(0).boolean ?? true)
        default: return .receiveVideo(streamID: id, command.argument(0).boolean ?? true)
        }
    }

    /// Ends what happens on a stream; the stream itself stays for another publish or play.
    private mutating func close(_ id: UInt32) -> ServerEvent? {
        let state = streams.state(of: id)
        let name = shownName(of: id)
        streams.set(id, .idle)
        switch state {
        case .publishing:
            idleSince = lastReceived
            status(id, "NetStream.Unpublish.Success", "\(name) is now unpublished.")
            return .unpublished(streamID: id)
        case .playing:
            idleSince = lastReceived
            return .playStopped(streamID: id)
        default: return nil
        }
    }

    /// A peer's text in an error: short and without control characters.
    private func printable(_ text: String) -> String {
        String(text.unicodeScalars.prefix(32).filter { $0.value >= 0x20 && $0.value != 0x7F }.map(Character.init))
    }

    /// A stream's name in replies, so that they are no longer than what was asked.
    private func shownName(of id: UInt32) -> String {
        streams.name(of: id)?.name.cut() ?? ""
    }

    // MARK: Replies

    /// Sends `onStatus` on a message stream.
    private mutating func status(
        _ id: UInt32, _ code: String, _ description: String, level: RTMPStatus.Level = .status
    ) {
        link.send(
            RTMPStatus(level: level, code: code, description: description), streamID: id,
            details: streams.name(of: id)?.name.cut())
    }
}

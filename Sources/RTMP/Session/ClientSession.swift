import NIOCore

/// The client's side of one RTMP connection as a state machine: for pushes, and for playing in tests and measurements.
///
/// Send ``takeOutput()`` once at the start; then give it what the socket read with ``receive(_:now:)``, call
/// ``nextEvent()`` until it returns nil, and send `takeOutput()` again. Commands go out strictly one after the other,
/// each when the last was answered, and nothing belonging to the stream before `NetStream.Publish.Start`.
///
/// Any error ends the connection.
public struct ClientSession: Sendable {
    private enum Phase: Sendable, Equatable {
        case handshake
        case connecting
        /// `releaseStream` and `FCPublish` are not waited for: many servers do not answer them.
        case creatingStream
        case starting(streamID: UInt32)
        case running(streamID: UInt32)
        /// Refused, closed, or stopped by this side.
        case ended
    }

    private enum Transaction {
        static let connect = 1.0
        static let releaseStream = 2.0
        static let fcPublish = 3.0
        static let createStream = 4.0
        static let start = 5.0
        static let fcUnpublish = 6.0
    }

    public let configuration: ClientConfiguration
    private var phase = Phase.handshake
    private var handshake: ClientHandshake
    private var link: MessageLink
    /// What the server said it can do.
    public private(set) var serverCapabilities: ExtendedCapabilities = []
    private let clientChallenge: String
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
                guard let inbound = try link.next() else { return nil }
                switch inbound {
                case .message(let message):
                    if let event = try handle(message) { return event }
                case .setPeerBandwidth(let size):
                    // §5.4.5: the answer is this side's window, which is then the server's to acknowledge.
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

    // MARK: Sending

    private mutating func sendConnect() {
        let query = configuration.authenticationQuery ?? ""
        var tcURL = configuration.tcURL
        if configuration.profile.tcURLForm == .withoutQuery { tcURL = RTMPParameters.split(tcURL).path }
        var object: AMFObject = ["app": .string(configuration.app + query)]
        if configuration.purpose == .publish { object["type"] = "nonprivate" }
        object["flashVer"] = .string(configuration.profile.flashVersion)
        object["tcUrl"] = .string(tcURL + query)
        if configuration.purpose == .play {
            object["fpad"] = false
            object["capabilities"] = 15
            object["audioCodecs"] = 4071
            object["videoCodecs"] = 252
            object["videoFunction"] = 1
        }
        if configuration.profile.isEnhanced {
            object["fourCcList"] = .strictArray(ConnectRequest.carriedCodecs.map { .string($0) })
            object["capsEx"] = .number(Double(ExtendedCapabilities.ours.rawValue))
        }
        link.send(RTMPCommand("connect", transactionID: Transaction.connect, object: .object(object)))
    }

    /// After connect's answer.
    private mutating func sendCreateStream() {
        phase = .creatingStream
        link.setChunkSize(RTMP.outgoingChunkSize)
        let name = AMFValue.string(configuration.stream)
        if configuration.purpose == .publish {
            if configuration.profile.sendReleaseStream {
                link.send(
                    RTMPCommand("releaseStream", transactionID: Transaction.releaseStream, arguments: [name]))
            }
            if configuration.profile.sendFCPublish {
                link.send(RTMPCommand("FCPublish", transactionID: Transaction.fcPublish, arguments: [name]))
            }
        }
        link.send(RTMPCommand("createStream", transactionID: Transaction.createStream))
    }

    private mutating func sendStart(streamID: UInt32) {
        phase = .starting(streamID: streamID)
        let name = AMFValue.string(configuration.stream)
        switch configuration.purpose {
        case .publish:
            link.send(
                RTMPCommand("publish", transactionID: Transaction.start, arguments: [name, "live"]),
                streamID: streamID)
        case .play:
            link.send(
                RTMPCommand("play", transactionID: Transaction.start, arguments: [name, -2]), streamID: streamID)
            link.send(.setBufferLength(streamID: streamID, milliseconds: 1_000))
        }
    }

    /// Sends one audio, video or data message. For tests and small things: a push writes ``SharedChunks`` after
    /// ``takeOutput()``.
    /// - Returns: false, and nothing sent, before ``ClientEvent/publishing(streamID:)`` or after the end.
    @discardableResult
    public mutating func send(_ type: RTMPMessageType, timestamp: UInt32, body: ByteBuffer) -> Bool {
        guard case .running(let id) = phase, configuration.purpose == .publish else { return false }
        link.send(RTMPMessage(type: type, streamID: id, timestamp: timestamp, body: body))
        return true
    }

    /// Sends `@setDataFrame` with metadata.
    /// - Parameter body: an `onMetaData` message's body as it was received, ``RTMPDataMessage/body``. It goes out as it
    ///   is: values that it refers to often would grow beyond all bounds if they were written out again.
    @discardableResult
    public mutating func send(metadata body: ByteBuffer, timestamp: UInt32 = 0) -> Bool {
        guard case .running(let id) = phase, configuration.purpose == .publish else { return false }
        link.send(RTMPDataMessage.setDataFrame(body, streamID: id, timestamp: timestamp))
        return true
    }

    /// Ends the stream in order: FCUnpublish and deleteStream. Send the output and close.
    public mutating func stop() {
        guard let id = streamID else {
            phase = .ended
            return
        }
        phase = .ended
        if configuration.purpose == .publish, configuration.profile.sendFCPublish {
            link.send(
                RTMPCommand(
                    "FCUnpublish", transactionID: Transaction.fcUnpublish,
                    arguments: [.string(configuration.stream)]))
        }
        link.send(RTMPCommand("deleteStream", transactionID: 0, arguments: [.number(Double(id))]))
    }

    // MARK: Messages

    /// - Returns: nil when the message concerns the session alone.
    private mutating func handle(_ message: RTMPMessage) throws(RTMPError) -> ClientEvent? {
        switch message.type {
        case .commandAMF0, .commandAMF3:
            return try handle(RTMPCommand(message, limits: configuration.limits.commandAMF))
        case .audio, .video:
            guard configuration.purpose == .play, case .running = phase else { return nil }
            return .media(
                MediaMessage(
                    streamID: message.streamID, timestamp: message.timestamp, isVideo: message.type == .video,
                    body: message.body))
        case .dataAMF0, .dataAMF3:
            guard configuration.purpose == .play, case .running = phase,
                let data = try? RTMPDataMessage(message, limits: configuration.limits.dataAMF)
            else { return nil }
            return data.name == "onMetaData" ? .metadata(data) : .data(data)
        default:
            return nil
        }
    }

    private mutating func handle(_ command: RTMPCommand) throws(RTMPError) -> ClientEvent? {
        switch command.name {
        case "_result", "_error":
            return try answer(command, isError: command.name == "_error")
        case "onStatus":
            return status(RTMPStatus(command.argument(0)), command.argument(0))
        case "close":
            phase = .ended
            return .closed(
                RTMPStatus(level: .status, code: "NetConnection.Connect.Closed", description: "The server closed."))
        default:
            // onBWDone, onFCPublish and the like.
            return nil
        }
    }

    private mutating func answer(_ command: RTMPCommand, isError: Bool) throws(RTMPError) -> ClientEvent? {
        switch (phase, command.transactionID) {
        case (.connecting, Transaction.connect):
            let information = command.argument(0)
            let status = RTMPStatus(information)
            // Some servers refuse with a _result whose level is error.
            guard !isError, status.level != .error else { return refusedConnect(status, information) }
            serverCapabilities = ExtendedCapabilities(information["capsEx"])
            sendCreateStream()
            return .connected
        case (.creatingStream, Transaction.createStream):
            guard !isError else {
                phase = .ended
                return .refused(refusal(command, "createStream"))
            }
            guard let id = command.argument(0).number.flatMap({ UInt32(exactly: $0) }) else {
                throw RTMPError(.malformedMessage, "createStream was answered without a stream id.")
            }
            sendStart(streamID: id)
            return nil
        case (.starting, Transaction.start) where isError:
            phase = .ended
            return .refused(refusal(command, configuration.purpose == .publish ? "publish" : "play"))
        default:
            // Errors for releaseStream and FCPublish mean that the server does not know them.
            return nil
        }
    }

    private mutating func refusedConnect(_ status: RTMPStatus, _ information: AMFValue) -> ClientEvent {
        phase = .ended
        guard let credentials = configuration.credentials,
            let step = AdobeAuthentication.clientStep(
                description: information["description"]?.string ?? "", credentials: credentials,
                tried: configuration.authenticationQuery,
                clientChallenge: clientChallenge)
        else { return .refused(status) }
        switch step {
        case .reconnect(let appQuery): return .reconnectWithAuthentication(appQuery: appQuery)
        case .failed(let sentence):
            return .refused(RTMPStatus(level: .error, code: status.code, description: sentence))
        }
    }

    private func refusal(_ command: RTMPCommand, _ what: String) -> RTMPStatus {
        var status = RTMPStatus(command.argument(0))
        status.level = .error
        if status.code.isEmpty { status.code = "NetConnection.Call.Failed" }
        if status.description.isEmpty { status.description = "The server refused \(what)." }
        return status
    }

    private mutating func status(_ status: RTMPStatus, _ information: AMFValue) -> ClientEvent? {
        if status.code == "NetConnection.Connect.ReconnectRequest" {
            return .reconnectRequested(tcURL: information["tcUrl"]?.string)
        }
        if status.level == .error {
            phase = .ended
            return .refused(status)
        }
        switch status.code {
        case "NetStream.Publish.Start":
            guard case .starting(let id) = phase, configuration.purpose == .publish else { return nil }
            phase = .running(streamID: id)
            return .publishing(streamID: id)
        case "NetStream.Play.Start":
            guard case .starting(let id) = phase, configuration.purpose == .play else { return nil }
            phase = .running(streamID: id)
            return .playing(streamID: id)
        case "NetStream.Play.PublishNotify": return .published(true)
        case "NetStream.Play.UnpublishNotify": return .published(false)
        case "NetConnection.Connect.Closed", "NetConnection.Connect.AppShutdown", "NetStream.Unpublish.Success",
            "NetStream.Play.Stop":
            phase = .ended
            return .closed(status)
        default:
            return .status(status)
        }
    }
}

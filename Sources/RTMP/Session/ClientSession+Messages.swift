import NIOCore

extension ClientSession {
    /// - Returns: nil when the message concerns the session alone.
    mutating func handle(_ message: RTMPMessage) throws(RTMPError) -> ClientEvent? {
        switch message.type {
        case .commandAMF0, .commandAMF3:
            return try handle(RTMPCommand(message, limits: configuration.limits.amf))
        case .audio, .video:
            guard configuration.purpose == .play, case .running = phase else { return nil }
            return .media(
                MediaMessage(
                    streamID: message.streamID, timestamp: message.timestamp, isVideo: message.type == .video,
                    body: message.body))
        case .dataAMF0, .dataAMF3:
            guard configuration.purpose == .play, case .running = phase,
                let data = try? RTMPDataMessage(message, limits: configuration.limits.amf)
            else { return nil }
            return data.name == "onMetaData" ? .metadata(data) : .data(data)
        case .aggregate:
            guard aggregate == nil else {
                throw RTMPError(.malformedMessage, "An aggregate message inside an aggregate message.")
            }
            aggregate = AggregateParts(message)
            return nil
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
            guard !isError, status.level != .error else { return refusedConnect(status) }
            serverCapabilities = ExtendedCapabilities(
                rawValue: UInt32(exactly: information["capsEx"]?.number ?? 0) ?? 0)
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

    private mutating func refusedConnect(_ status: RTMPStatus) -> ClientEvent {
        phase = .ended
        guard let credentials = configuration.credentials,
            let step = AdobeAuthentication.clientStep(
                description: status.description, credentials: credentials, tried: configuration.authenticationQuery,
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

import NIOCore

extension ServerSession {
    mutating func handle(_ command: RTMPCommand, streamID: UInt32) throws(RTMPError) -> ServerEvent? {
        guard phase == .connected else {
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
            result(command, .number(0))
        case "_checkbw", "checkBandwidth":
            result(command, .undefined)
        case "pause", "pauseRaw", "seek", "receiveAudio", "receiveVideo":
            return playerControl(command, streamID)
        case "_result", "_error", "onStatus":
            return nil
        default:
            fail(command)
        }
        return nil
    }

    private mutating func connect(_ command: RTMPCommand) throws(RTMPError) -> ServerEvent? {
        let request = try ConnectRequest(command)
        capabilities = request.capabilities
        isEnhancedClient = request.isEnhanced
        objectEncoding = request.objectEncoding
        phase = .connectPending(transactionID: command.transactionID)
        return .connectRequested(request)
    }

    private mutating func createStream(_ command: RTMPCommand) throws(RTMPError) {
        guard let id = streams.create(limit: configuration.limits.maxMessageStreams) else {
            throw RTMPError(
                .protocolViolation, "More than \(configuration.limits.maxMessageStreams) streams on one connection.")
        }
        result(command, .number(Double(id)))
    }

    private mutating func publish(_ command: RTMPCommand, _ streamID: UInt32) throws(RTMPError) -> ServerEvent? {
        // publish(false) is ActionScript's way to end a publication.
        if case .boolean(false) = command.argument(0) {
            return streams.resolve(streamID).flatMap { close($0) }
        }
        let id = try freeStream(streamID, for: "publish")
        guard let raw = command.argument(0).string else {
            throw RTMPError(.malformedMessage, "A publish without a stream name.")
        }
        let name = StreamName(raw)
        streams.set(id, .publishPending, name: name)
        let kind = command.argument(1).string.flatMap { PublishRequest.Kind(rawValue: $0.lowercased()) } ?? .live
        return .publishRequested(PublishRequest(streamID: id, name: name, kind: kind))
    }

    private mutating func play(_ command: RTMPCommand, _ streamID: UInt32) throws(RTMPError) -> ServerEvent? {
        if case .boolean(false) = command.argument(0) {
            return streams.resolve(streamID).flatMap { close($0) }
        }
        // A play while playing switches to another stream: the handler sees the new request and drops the old one.
        let id = try freeStream(streamID, for: "play", orPlaying: true)
        guard let raw = command.argument(0).string else {
            throw RTMPError(.malformedMessage, "A play without a stream name.")
        }
        let name = StreamName(raw)
        // Some clients send start and duration in milliseconds; they are passed on as they are.
        let reset = command.argument(3).boolean ?? true
        streams.set(id, .playPending, name: name, isReset: reset)
        return .playRequested(
            PlayRequest(
                streamID: id, name: name, start: command.argument(1).number ?? -2,
                duration: command.argument(2).number ?? -1, reset: reset))
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
        result(command, .undefined)
        switch command.name {
        case "FCPublish":
            notify("onFCPublish", "NetStream.Publish.Start", name)
        case "FCSubscribe":
            notify("onFCSubscribe", "NetStream.Play.Start", name)
        case "FCUnsubscribe":
            notify("onFCUnsubscribe", "NetStream.Play.Stop", name)
        case "FCUnpublish":
            notify("onFCUnpublish", "NetStream.Unpublish.Success", name)
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
            let name = streams.name(of: id)?.name ?? ""
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
        let name = streams.name(of: id)?.name ?? ""
        streams.set(id, .idle)
        noteIdle()
        switch state {
        case .publishing:
            status(id, "NetStream.Unpublish.Success", "\(name) is now unpublished.")
            return .unpublished(streamID: id)
        case .playing:
            return .playStopped(streamID: id)
        default: return nil
        }
    }

    /// A peer's text in an error: short and without control characters.
    private func printable(_ text: String) -> String {
        String(text.unicodeScalars.prefix(32).filter { $0.value >= 0x20 && $0.value != 0x7F }.map(Character.init))
    }
}

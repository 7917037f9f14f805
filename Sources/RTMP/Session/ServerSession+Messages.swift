import NIOCore

extension ServerSession {
    mutating func handle(_ inbound: MessageLink.Inbound) throws(RTMPError) -> ServerEvent? {
        switch inbound {
        case .message(let message): return try handle(message)
        case .userControl(.setBufferLength(let id, let length)):
            return streams.resolve(id).map { .bufferLength(streamID: $0, milliseconds: length) }
        case .userControl, .setPeerBandwidth: return nil
        }
    }

    /// - Returns: nil when the message concerns the session alone.
    mutating func handle(_ message: RTMPMessage) throws(RTMPError) -> ServerEvent? {
        switch message.type {
        case .audio, .video:
            return try media(message)
        case .dataAMF0, .dataAMF3:
            return try data(message)
        case .commandAMF0, .commandAMF3:
            return try handle(RTMPCommand(message, limits: configuration.limits.amf), streamID: message.streamID)
        case .aggregate:
            // An aggregate inside an aggregate would replace the one being read.
            guard aggregate == nil else {
                throw RTMPError(.malformedMessage, "An aggregate message inside an aggregate message.")
            }
            aggregate = AggregateParts(message)
            return nil
        default:
            // Shared objects and types unknown to us: real servers pass over them.
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
        guard phase == .connected else {
            throw RTMPError(.protocolViolation, "A \(message.type) before connect.")
        }
        ignoredMediaBytes += message.body.readableBytes
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
            data = try RTMPDataMessage(message, limits: configuration.limits.amf)
        } catch {
            guard error.code == .amfLimitExceeded else { return nil }
            throw error
        }
        data.streamID = id
        return data.name == "onMetaData" ? .metadata(data) : .data(data)
    }
}

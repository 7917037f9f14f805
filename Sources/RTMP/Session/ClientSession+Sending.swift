import Media
import NIOCore

extension ClientSession {
    mutating func sendConnect() {
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
            let codecs =
                VideoCodec.allCases.map { FourCC($0).description }
                + AudioCodec.allCases.map { FourCC($0).description }
            object["fourCcList"] = .strictArray(codecs.map { .string($0) })
            let capabilities: ExtendedCapabilities = [.reconnect, .modEx, .timestampNanoseconds]
            object["capsEx"] = .number(Double(capabilities.rawValue))
        }
        link.send(RTMPCommand("connect", transactionID: Transaction.connect, object: .object(object)))
    }

    /// After connect's answer.
    mutating func sendCreateStream() {
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

    mutating func sendStart(streamID: UInt32) {
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
}

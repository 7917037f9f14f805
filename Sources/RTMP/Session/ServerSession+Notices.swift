import NIOCore

extension ServerSession {
    /// What players are told about the stream they watch.
    public enum PlayNotice: Sendable, Hashable {
        /// The publisher has gone; it may come back.
        case unpublished
        /// The publisher has come (back).
        case published
        /// Nothing more will come, for live as for a file's end.
        case ended
        /// Nothing comes at the moment.
        case dry
        /// Playback is refused from here on: a revoked ticket. A sentence.
        case failed(String)
    }

    /// Tells a player of a change; nothing happens on a stream that is not being played.
    @discardableResult
    public mutating func notify(_ notice: PlayNotice, streamID: UInt32) -> Bool {
        guard streams.state(of: streamID) == .playing else { return false }
        let name = streams.name(of: streamID)?.name ?? ""
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
            noteIdle()
        case .dry:
            link.send(.streamDry(streamID: streamID))
        case .failed(let description):
            status(streamID, "NetStream.Play.Failed", description, level: .error)
            streams.set(streamID, .refused)
            noteIdle()
        }
        return true
    }

    /// Asks an enhanced RTMP client to connect anew and carry on there: for a drain without a gap.
    /// - Parameter tcURL: where to; nil for the same address.
    /// - Returns: false, and nothing sent, when the client does not understand it.
    @discardableResult
    public mutating func requestReconnect(tcURL: String? = nil, description: String) -> Bool {
        guard phase == .connected, canReconnect else { return false }
        var object = RTMPStatus(
            level: .status, code: "NetConnection.Connect.ReconnectRequest", description: description
        ).object
        if let tcURL { object["tcUrl"] = .string(tcURL) }
        link.send(RTMPCommand("onStatus", transactionID: 0, arguments: [.object(object)]))
        return true
    }

    /// Tells the client that the connection is about to be closed by us.
    public mutating func sendClose(description: String) {
        guard phase == .connected else { return }
        let object = RTMPStatus(level: .status, code: "NetConnection.Connect.Closed", description: description).object
        link.send(RTMPCommand("onStatus", transactionID: 0, arguments: [.object(object)]))
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
}

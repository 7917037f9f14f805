import Media
import NIOCore

/// Answers to what a client asked. One that fits no question does nothing and returns false: the question may have been
/// overtaken by the end of the stream.
extension ServerSession {
    /// Lets the client in: window, bandwidth, chunk size, `_result`.
    @discardableResult
    public mutating func acceptConnect() -> Bool {
        guard case .connectPending(let transactionID) = phase else { return false }
        phase = .connected
        noteIdle()
        link.send(.windowAcknowledgementSize(MessageLink.windowSize))
        link.send(.setPeerBandwidth(MessageLink.windowSize, .dynamic))
        link.setChunkSize(RTMP.outgoingChunkSize)
        let properties: AMFObject = [
            "fmsVer": .string(RTMP.serverVersion), "capabilities": 31, "mode": 1,
        ]
        var information = RTMPStatus(
            level: .status, code: "NetConnection.Connect.Success", description: "Connection succeeded."
        ).object
        information["objectEncoding"] = .number(Double(objectEncoding))
        if isEnhancedClient { ServerSession.addEnhancedFields(&information) }
        link.send(
            RTMPCommand(
                "_result", transactionID: transactionID, object: .object(properties),
                arguments: [.object(information)]))
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
        guard case .connectPending(let transactionID) = phase else { return false }
        phase = .rejected
        let information = RTMPStatus(level: .error, code: code, description: description).object
        link.send(RTMPCommand("_error", transactionID: transactionID, arguments: [.object(information)]))
        return true
    }

    /// Lets the client publish: StreamBegin, `NetStream.Publish.Start`.
    @discardableResult
    public mutating func acceptPublish(streamID: UInt32) -> Bool {
        guard streams.state(of: streamID) == .publishPending else { return false }
        streams.set(streamID, .publishing)
        link.send(.streamBegin(streamID: streamID))
        status(
            streamID, "NetStream.Publish.Start", "\(streams.name(of: streamID)?.name ?? "") is now published.")
        return true
    }

    /// - Parameter code: `NetStream.Publish.BadName` (taken, unknown) or `NetStream.Publish.Denied`.
    @discardableResult
    public mutating func refusePublish(
        streamID: UInt32, code: String = "NetStream.Publish.BadName", description: String
    ) -> Bool {
        guard streams.state(of: streamID) == .publishPending else { return false }
        streams.set(streamID, .refused)
        noteIdle()
        status(streamID, code, description, level: .error)
        return true
    }

    /// Ends a publication from our side (a kick, a takeover); what the client still sends is thrown away.
    /// - Parameter code: such as `NetStream.Publish.BadName`.
    @discardableResult
    public mutating func endPublish(streamID: UInt32, code: String, description: String) -> Bool {
        guard streams.state(of: streamID) == .publishing else { return false }
        streams.set(streamID, .refused)
        noteIdle()
        status(streamID, code, description, level: .error)
        return true
    }

    /// Lets the client play. Media may follow, chunked with ``RTMP/outgoingChunkSize`` on message stream `streamID`.
    /// - Parameter isRecorded: for files: says StreamIsRecorded first.
    @discardableResult
    public mutating func acceptPlay(streamID: UInt32, isRecorded: Bool = false) -> Bool {
        guard streams.state(of: streamID) == .playPending else { return false }
        streams.set(streamID, .playing)
        let name = streams.name(of: streamID)?.name ?? ""
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
        guard streams.state(of: streamID) == .playPending else { return false }
        streams.set(streamID, .refused)
        noteIdle()
        status(streamID, code, description, level: .error)
        return true
    }

    /// Tells a player that the position it asked for is taken; `NetStream.Play.Start` follows as players expect.
    @discardableResult
    public mutating func acceptSeek(streamID: UInt32, milliseconds: Double) -> Bool {
        guard streams.state(of: streamID) == .playing else { return false }
        link.send(.streamBegin(streamID: streamID))
        status(streamID, "NetStream.Seek.Notify", "Seeking \(milliseconds) ms.")
        status(streamID, "NetStream.Play.Start", "Started playing \(streams.name(of: streamID)?.name ?? "").")
        return true
    }

    @discardableResult
    public mutating func refuseSeek(streamID: UInt32, description: String) -> Bool {
        guard streams.state(of: streamID) == .playing else { return false }
        status(streamID, "NetStream.Seek.Failed", description, level: .error)
        return true
    }

    /// The fields of enhanced RTMP v1 and v2 in connect's answer: which codecs pass through, and what we can do.
    private static func addEnhancedFields(_ information: inout AMFObject) {
        let video = VideoCodec.allCases.map { FourCC($0).description }
        let audio = AudioCodec.allCases.map { FourCC($0).description }
        // 4: can forward; a server that decodes nothing.
        func map(_ codecs: [String]) -> AMFValue {
            .object(AMFObject(codecs.map { .init($0, 4) }))
        }
        information["fourCcList"] = .strictArray((video + audio).map { .string($0) })
        information["videoFourCcInfoMap"] = map(video)
        information["audioFourCcInfoMap"] = map(audio)
        let capabilities: ExtendedCapabilities = [.reconnect, .modEx, .timestampNanoseconds]
        information["capsEx"] = .number(Double(capabilities.rawValue))
    }
}

import Media
import NIOCore

/// A data message (RTMP 1.0 §7.1.2): a name and values, such as `onMetaData` with an array, `onTextData`, `onCuePoint`.
public struct RTMPDataMessage: Sendable, Hashable {
    public var streamID: UInt32
    /// Milliseconds modulo 2³².
    public var timestamp: UInt32
    /// The handler's name; `@setDataFrame` has been taken off, and what it set stands here.
    public var name: String
    public var values: [AMFValue]
    /// AMF0 from the name on, without `@setDataFrame`: the body to forward to players as message type 18.
    public var body: ByteBuffer

    /// The properties of `onMetaData`; nil for other messages.
    public var metadata: AMFObject? {
        name == "onMetaData" ? values.first?.object : nil
    }

    /// Bytes of name and contents together that ``timedMetadata`` has at most.
    public static let mostTimedMetadataBytes = 16 << 10

    /// What the message tells viewers at its moment. Nil for `onMetaData`, for what is between encoders and servers, and for what
    /// would be longer than ``mostTimedMetadataBytes`` as JSON.
    public var timedMetadata: TimedMetadata? {
        // What begins with another sign is a command to the server, such as @clearDataFrame or |RtmpSampleAccess.
        guard let first = name.utf8.first, first | 0x20 >= UInt8(ascii: "a"), first | 0x20 <= UInt8(ascii: "z"),
            name != "onMetaData", name != "onStatus", name != "onPlayStatus", name.utf8.count <= 256
        else { return nil }
        let contents = values.count == 1 ? values[0] : .strictArray(values)
        return contents.json(upTo: Self.mostTimedMetadataBytes - name.utf8.count).map {
            TimedMetadata(name: name, json: $0)
        }
    }

    /// Reads a message of type 18 or 15.
    public init(_ message: RTMPMessage, limits: AMFLimits = AMFLimits()) throws(RTMPError) {
        streamID = message.streamID
        timestamp = message.timestamp
        body = RTMPCommand.amf0(of: message)
        var decoder = AMF0Decoder(body, limits: limits)
        name = try RTMPDataMessage.name(&decoder)
        if name == "@setDataFrame" {
            body = decoder.remaining
            name = try RTMPDataMessage.name(&decoder)
        }
        values = []
        while !decoder.isAtEnd {
            values.append(try decoder.decode())
        }
    }

    /// Makes a message, for players as it stands or – see ``setDataFrame`` – for servers.
    public init(streamID: UInt32, timestamp: UInt32 = 0, name: String, values: [AMFValue]) {
        self.streamID = streamID
        self.timestamp = timestamp
        self.name = name
        self.values = values
        body = ByteBuffer()
        AMF0Encoder.encode(name, into: &body)
        for value in values {
            AMF0Encoder.encode(value, into: &body)
        }
    }

    /// As a player receives it.
    public var message: RTMPMessage {
        RTMPMessage(type: .dataAMF0, streamID: streamID, timestamp: timestamp, body: body)
    }

    /// As a publisher sends it to a server.
    public var setDataFrame: RTMPMessage {
        RTMPDataMessage.setDataFrame(body, streamID: streamID, timestamp: timestamp)
    }

    /// A data message as a publisher sends it to a server: with `@setDataFrame` in front, without which Akamai and Wowza
    /// ignore it.
    /// - Parameter body: AMF0 from the name on, passed on as it is.
    static func setDataFrame(_ body: ByteBuffer, streamID: UInt32, timestamp: UInt32) -> RTMPMessage {
        var prefixed = ByteBuffer()
        AMF0Encoder.encode("@setDataFrame", into: &prefixed)
        prefixed.writeImmutableBuffer(body)
        return RTMPMessage(type: .dataAMF0, streamID: streamID, timestamp: timestamp, body: prefixed)
    }

    private static func name(_ decoder: inout AMF0Decoder) throws(RTMPError) -> String {
        guard !decoder.isAtEnd, case .string(let name) = try decoder.decode() else {
            throw RTMPError(.malformedMessage, "A data message that does not begin with its name.")
        }
        return name
    }
}

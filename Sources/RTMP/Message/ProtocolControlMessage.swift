import NIOCore

/// The protocol control messages (RTMP 1.0 §5.4), sent on chunk stream 2 and message stream 0.
public enum ProtocolControlMessage: Sendable, Hashable {
    /// Largest chunk payload the sender will use from now on; 1…2³¹−1.
    case setChunkSize(UInt32)
    /// Forget the unfinished message on this chunk stream.
    case abort(chunkStreamID: UInt32)
    /// Bytes received so far, modulo 2³².
    case acknowledgement(UInt32)
    /// An acknowledgement is wanted every so many bytes.
    case windowAcknowledgementSize(UInt32)
    /// The other side should not have more than so many unacknowledged bytes in flight.
    case setPeerBandwidth(UInt32, BandwidthLimit)

    /// How Set Peer Bandwidth is meant (§5.4.5).
    public enum BandwidthLimit: UInt8, Sendable, Hashable {
        case hard = 0
        case soft = 1
        case dynamic = 2
    }

    /// - Throws: `malformedMessage` when the body is short or the type is not one of these; `invalidChunkSize` for a
    ///   chunk size of 0 or one with its high bit set.
    public init(type: RTMPMessageType, body: ByteBuffer) throws(RTMPError) {
        var body = body
        guard let value = body.readInteger(as: UInt32.self) else {
            throw RTMPError(.malformedMessage, "Protocol control \(type) with \(body.readableBytes) bytes.")
        }
        switch type {
        case .setChunkSize:
            guard value > 0, value < 0x8000_0000 else {
                throw RTMPError(.invalidChunkSize, "A chunk size of \(value).")
            }
            self = .setChunkSize(value)
        case .abort: self = .abort(chunkStreamID: value)
        case .acknowledgement: self = .acknowledgement(value)
        case .windowAcknowledgementSize: self = .windowAcknowledgementSize(value)
        case .setPeerBandwidth:
            // Some peers leave the limit type out; dynamic is what everybody means.
            let limit = body.readInteger(as: UInt8.self).flatMap(BandwidthLimit.init(rawValue:)) ?? .dynamic
            self = .setPeerBandwidth(value, limit)
        default:
            throw RTMPError(.malformedMessage, "\(type) is not a protocol control message.")
        }
    }

    /// As a message ready to be chunked.
    public var message: RTMPMessage {
        var body = ByteBuffer()
        let type: RTMPMessageType
        switch self {
        case .setChunkSize(let value):
            type = .setChunkSize
            body.writeInteger(value)
        case .abort(let value):
            type = .abort
            body.writeInteger(value)
        case .acknowledgement(let value):
            type = .acknowledgement
            body.writeInteger(value)
        case .windowAcknowledgementSize(let value):
            type = .windowAcknowledgementSize
            body.writeInteger(value)
        case .setPeerBandwidth(let value, let limit):
            type = .setPeerBandwidth
            body.writeInteger(value)
            body.writeInteger(limit.rawValue)
        }
        return RTMPMessage(type: type, streamID: 0, body: body)
    }
}

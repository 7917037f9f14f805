import NIOCore

/// The messages inside an aggregate message (RTMP 1.0 §7.1.6), one after another and without copying: audio, video and data.
///
/// Their timestamps are moved so that the first has the aggregate's own.
public struct AggregateParts: Sendable {
    private var rest: ByteBuffer
    private let aggregate: RTMPMessage
    private var firstTimestamp: UInt32?

    public init(_ aggregate: RTMPMessage) {
        self.aggregate = aggregate
        rest = aggregate.body
    }

    /// The capacity behind the whole message.
    var heldBytes: Int { aggregate.body.storageCapacity }

    /// - Returns: nil at the end.
    /// - Throws: `malformedMessage` when a part is cut off, `protocolViolation` when it is neither audio, video nor data.
    public mutating func next() throws(RTMPError) -> RTMPMessage? {
        guard rest.readableBytes > 0 else { return nil }
        // Type, 24-bit length, 24-bit timestamp with its high byte after it, 24-bit stream id: an FLV tag.
        guard let (type, lengthHigh, lengthLow) = rest.readMultipleIntegers(as: (UInt8, UInt8, UInt16).self),
            let (timeLow, timeHigh) = rest.readMultipleIntegers(as: (UInt16, UInt16).self),
            rest.readSlice(length: 3) != nil,
            let body = rest.readSlice(length: Int(lengthHigh) << 16 | Int(lengthLow))
        else {
            throw RTMPError(.malformedMessage, "An aggregate message ends inside one of its parts.")
        }
        let part = RTMPMessageType(rawValue: type)
        switch part {
        case .audio, .video, .dataAMF0, .dataAMF3: break
        default: throw RTMPError(.protocolViolation, "An aggregate message with a part of \(part).")
        }
        // The back pointer; peers that leave the last one out are forgiven.
        rest.moveReaderIndex(forwardBy: min(4, rest.readableBytes))
        // Bytes 2-1-0-3 of the timestamp, big-endian with the top byte last.
        let timestamp =
            UInt32(timeLow) << 8 | UInt32(timeHigh >> 8) | UInt32(timeHigh & 0xFF) << 24
        let first = firstTimestamp ?? timestamp
        firstTimestamp = first
        return RTMPMessage(
            type: part, streamID: aggregate.streamID,
            chunkStreamID: aggregate.chunkStreamID, timestamp: aggregate.timestamp &+ (timestamp &- first), body: body)
    }
}

import NIOCore

/// User control messages (RTMP 1.0 §7.1.7), sent on chunk stream 2 and message stream 0.
public enum UserControlEvent: Sendable, Hashable {
    case streamBegin(streamID: UInt32)
    case streamEOF(streamID: UInt32)
    case streamDry(streamID: UInt32)
    /// A player's buffer, in milliseconds.
    case setBufferLength(streamID: UInt32, milliseconds: UInt32)
    case streamIsRecorded(streamID: UInt32)
    /// A ping; the number comes back in the answer.
    case pingRequest(UInt32)
    case pingResponse(UInt32)
    /// Any other event, such as SWF verification; its number.
    case other(UInt16)

    /// - Throws: `malformedMessage` when the body is too short for its event.
    public init(body: ByteBuffer) throws(RTMPError) {
        var body = body
        let size = body.readableBytes
        func malformed() -> RTMPError {
            RTMPError(.malformedMessage, "A user control message of \(size) bytes.")
        }
        guard let event = body.readInteger(as: UInt16.self) else { throw malformed() }
        guard event <= 7, event != 5 else {
            self = .other(event)
            return
        }
        guard let value = body.readInteger(as: UInt32.self) else { throw malformed() }
        switch event {
        case 0: self = .streamBegin(streamID: value)
        case 1: self = .streamEOF(streamID: value)
        case 2: self = .streamDry(streamID: value)
        case 3:
            guard let length = body.readInteger(as: UInt32.self) else { throw malformed() }
            self = .setBufferLength(streamID: value, milliseconds: length)
        case 4: self = .streamIsRecorded(streamID: value)
        case 6: self = .pingRequest(value)
        default: self = .pingResponse(value)
        }
    }

    /// As a message ready to be chunked; `other` has its number only.
    public var message: RTMPMessage {
        var body = ByteBuffer()
        switch self {
        case .streamBegin(let id): body.writeMultipleIntegers(UInt16(0), id)
        case .streamEOF(let id): body.writeMultipleIntegers(UInt16(1), id)
        case .streamDry(let id): body.writeMultipleIntegers(UInt16(2), id)
        case .setBufferLength(let id, let length): body.writeMultipleIntegers(UInt16(3), id, length)
        case .streamIsRecorded(let id): body.writeMultipleIntegers(UInt16(4), id)
        case .pingRequest(let value): body.writeMultipleIntegers(UInt16(6), value)
        case .pingResponse(let value): body.writeMultipleIntegers(UInt16(7), value)
        case .other(let event): body.writeInteger(event)
        }
        return RTMPMessage(type: .userControl, streamID: 0, body: body)
    }
}

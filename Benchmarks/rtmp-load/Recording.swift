import Foundation
import NIOCore
import RTMP

/// The audio and video messages of an FLV file, to be sent again and again.
struct Recording: Sendable {
    struct Message: Sendable {
        var type: RTMPMessageType
        var timestamp: UInt32
        var body: ByteBuffer
    }

    struct NotFLV: Error {}

    let messages: [Message]
    /// After this much time, in milliseconds, it begins again.
    let duration: UInt32

    init(path: String) throws {
        var file = ByteBuffer(bytes: try Data(contentsOf: URL(fileURLWithPath: path)))
        guard file.readString(length: 3) == "FLV", file.readSlice(length: 10) != nil else { throw NotFLV() }
        var messages: [Message] = []
        while let type = file.readInteger(as: UInt8.self), let head = file.readBytes(length: 10) {
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let time = UInt32(head[6]) << 24 | UInt32(head[3]) << 16 | UInt32(head[4]) << 8 | UInt32(head[5])
            guard let body = file.readSlice(length: length), file.readSlice(length: 4) != nil else { break }
            switch type {
            case 8: messages.append(Message(type: .audio, timestamp: time, body: body))
            case 9: messages.append(Message(type: .video, timestamp: time, body: body))
            default: break
            }
        }
        guard let last = messages.last?.timestamp, last > 0 else { throw NotFLV() }
        self.messages = messages
        duration = last + 40
    }
}

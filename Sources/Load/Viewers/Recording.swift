import Foundation
import NIOCore
import RTMP

/// The audio and video messages of an FLV file, to be sent again and again.
public struct Recording: Sendable {
    struct Message: Sendable {
        var type: RTMPMessageType
        var timestamp: UInt32
        var body: ByteBuffer
    }

    let messages: [Message]
    /// After this much time, in milliseconds, it begins again.
    let duration: UInt32

    /// - Throws: ``LoadProblem`` for what is no FLV file with audio or video.
    public init(path: String) throws {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else {
            throw LoadProblem("\(path) cannot be read")
        }
        var file = ByteBuffer(bytes: data)
        let isFLV = file.readString(length: 3) == "FLV" && file.readSlice(length: 10) != nil
        var messages: [Message] = []
        while isFLV, let type = file.readInteger(as: UInt8.self), let head = file.readBytes(length: 10) {
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let time = UInt32(head[6]) << 24 | UInt32(head[3]) << 16 | UInt32(head[4]) << 8 | UInt32(head[5])
            guard let body = file.readSlice(length: length), file.readSlice(length: 4) != nil else { break }
            switch type {
            case 8: messages.append(Message(type: .audio, timestamp: time, body: body))
            case 9: messages.append(Message(type: .video, timestamp: time, body: body))
            default: break
            }
        }
        guard let last = messages.last?.timestamp, last > 0 else {
            throw LoadProblem("\(path) is no FLV file with audio or video")
        }
        self.messages = messages
        duration = last &+ 40
    }
}

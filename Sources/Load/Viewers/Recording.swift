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
    /// Places of what decoders have to know first.
    let headers: [Int]
    /// Places where a viewer may begin: keyframes, or with sound alone every message.
    let starts: [Int]
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
        headers = messages.indices.filter { messages[$0].isHeader }
        let hasVideo = messages.contains { $0.type == .video && !$0.isHeader }
        starts = messages.indices.filter {
            !messages[$0].isHeader && (hasVideo ? messages[$0].isKeyframe : messages[$0].type == .audio)
        }
    }
}

extension Recording.Message {
    private var first: UInt8 { body.getInteger(at: body.readerIndex) ?? 0 }
    private var second: UInt8 { body.getInteger(at: body.readerIndex + 1) ?? 0xFF }

    /// The configuration of a decoder, as FLV and enhanced RTMP have it.
    fileprivate var isHeader: Bool {
        if type == .video { return first & 0x80 != 0 ? first & 0x0F == 0 : first & 0x0F == 7 && second == 0 }
        return first >> 4 == 9 ? first & 0x0F == 0 : first >> 4 == 10 && second == 0
    }

    fileprivate var isKeyframe: Bool { type == .video && first >> 4 & 7 == 1 }
}

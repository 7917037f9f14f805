import Foundation
import NIOCore
import RTMP

/// The audio and video tags of an FLV file (Adobe FLV 10.1, annex E), whose bodies are those of RTMP messages.
struct FLVTags {
    struct Tag: Hashable {
        var type: RTMPMessageType
        /// Milliseconds.
        var timestamp: UInt32
        var body: ByteBuffer

        var isKeyframe: Bool {
            type == .video && body.getInteger(at: body.readerIndex, as: UInt8.self) == 0x17 && !isHeader
        }
        /// For H.264 and AAC.
        var isHeader: Bool { body.getInteger(at: body.readerIndex + 1, as: UInt8.self) == 0 }
    }

    private(set) var tags: [Tag] = []

    init(_ media: SourceMedia) throws {
        var bytes = ByteBuffer(bytes: try Data(contentsOf: URL(fileURLWithPath: media.path)))
        // The header, and the size of the tag before the first.
        bytes.moveReaderIndex(forwardBy: 13)
        while bytes.readableBytes > 0 {
            guard let head = bytes.readBytes(length: 11) else { throw ProgramFailure(description: "a cut off FLV tag") }
            let size = UInt32(head[1]) << 16 | UInt32(head[2]) << 8 | UInt32(head[3])
            let time = UInt32(head[7]) << 24 | UInt32(head[4]) << 16 | UInt32(head[5]) << 8 | UInt32(head[6])
            guard let body = bytes.readSlice(length: Int(size)), bytes.readInteger(as: UInt32.self) != nil else {
                throw ProgramFailure(description: "a cut off FLV tag")
            }
            let type = RTMPMessageType(rawValue: head[0])
            // The last tag of a sequence of pictures says so and holds none.
            if type == .audio || type == .video { tags.append(Tag(type: type, timestamp: time, body: body)) }
        }
    }
}

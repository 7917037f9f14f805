import Foundation
import NIOCore
import RTMP

/// The audio and video tags of an FLV file (Adobe FLV 10.1, annex E), whose bodies are those of RTMP messages: what an encoder
/// sends.
public struct FLVFile: Sendable {
    public struct Tag: Sendable, Hashable {
        public var type: RTMPMessageType
        /// Milliseconds.
        public var timestamp: Int64
        public var body: ByteBuffer

        /// For H.264.
        public var isKeyframe: Bool {
            type == .video && body.getInteger(at: body.readerIndex, as: UInt8.self) == 0x17 && !isHeader
        }

        /// For H.264 and AAC.
        public var isHeader: Bool { body.getInteger(at: body.readerIndex + 1, as: UInt8.self) == 0 }
    }

    public let path: String
    public private(set) var tags: [Tag] = []

    public init(path: String) throws {
        self.path = path
        var bytes = ByteBuffer(bytes: try Data(contentsOf: URL(fileURLWithPath: path)))
        // The header, and the size of the tag before the first.
        guard bytes.readSlice(length: 13) != nil else { throw FLVFile.malformed(path) }
        while bytes.readableBytes > 0 {
            guard let head = bytes.readBytes(length: 11) else { throw FLVFile.malformed(path) }
            let size = Int(head[1]) << 16 | Int(head[2]) << 8 | Int(head[3])
            let time = Int64(head[7]) << 24 | Int64(head[4]) << 16 | Int64(head[5]) << 8 | Int64(head[6])
            guard let body = bytes.readSlice(length: size), bytes.readInteger(as: UInt32.self) != nil else {
                throw FLVFile.malformed(path)
            }
            let type = RTMPMessageType(rawValue: head[0])
            if type == .audio || type == .video { tags.append(Tag(type: type, timestamp: time, body: body)) }
        }
    }

    private static func malformed(_ path: String) -> ProgramFailure {
        ProgramFailure(description: "\(path) is no whole FLV file")
    }
}

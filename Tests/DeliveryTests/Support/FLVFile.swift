import Foundation
import Live
import Media
import NIOCore

/// The audio and video tags of an FLV file (Adobe FLV 10.1, annex E), whose bodies are those of RTMP messages.
struct FLVFile: Sendable {
    struct Tag: Sendable {
        var kind: TrackID.Kind
        /// Milliseconds.
        var timestamp: Int64
        var body: ByteBuffer

        var isSequenceHeader: Bool {
            body.getInteger(at: body.readerIndex + 1, as: UInt8.self) == 0
        }
    }

    struct Malformed: Error {}

    var tags: [Tag] = []

    init(contentsOf url: URL) throws {
        var bytes = ByteBuffer(bytes: try Data(contentsOf: url))
        // The header, and the size of the tag before the first.
        bytes.moveReaderIndex(forwardBy: 13)
        while bytes.readableBytes > 0 {
            guard let head = bytes.readBytes(length: 11) else { throw Malformed() }
            let size = Int(head[1]) << 16 | Int(head[2]) << 8 | Int(head[3])
            let time = Int64(head[7]) << 24 | Int64(head[4]) << 16 | Int64(head[5]) << 8 | Int64(head[6])
            guard let body = bytes.readSlice(length: size), bytes.readInteger(as: UInt32.self) != nil else {
                throw Malformed()
            }
            switch head[0] {
            case 8: tags.append(Tag(kind: .audio, timestamp: time, body: body))
            case 9: tags.append(Tag(kind: .video, timestamp: time, body: body))
            default: break
            }
        }
    }

    /// Eight seconds of H.264 and AAC: 200 pictures, 346 frames of sound, a keyframe every second.
    static func sample() throws -> FLVFile {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try FLVFile(contentsOf: tests.appending(path: "Fixtures/h264-aac.flv"))
    }
}

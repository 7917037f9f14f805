import Foundation
import NIOCore
import RTMP

/// The tags of an FLV file made by ffmpeg: what an encoder would send.
struct FLVFile {
    struct Tag {
        var type: UInt8
        var timestamp: Int64
        var body: ByteBuffer
    }

    var path: String
    var tags: [Tag]

    /// Four seconds of moving picture and tone, with B-frames, in one GOP.
    static func make(in scratch: Scratch) async throws -> FLVFile {
        let path = scratch.file("source.flv")
        try await Programs.run(
            [
                "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4", "-f", "lavfi",
                "-i", "sine=frequency=440:duration=4", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g",
                "500",
                "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", path,
            ], in: scratch)
        var buffer = ByteBuffer(bytes: FileManager.default.contents(atPath: path) ?? Data())
        buffer.moveReaderIndex(forwardBy: min(13, buffer.readableBytes))
        var tags: [Tag] = []
        while let header = buffer.readBytes(length: 11) {
            let size = Int(header[1]) << 16 | Int(header[2]) << 8 | Int(header[3])
            let time = Int64(header[7]) << 24 | Int64(header[4]) << 16 | Int64(header[5]) << 8 | Int64(header[6])
            guard let body = buffer.readSlice(length: size) else { break }
            buffer.moveReaderIndex(forwardBy: min(4, buffer.readableBytes))
            tags.append(Tag(type: header[0], timestamp: time, body: body))
        }
        return FLVFile(path: path, tags: tags)
    }
}

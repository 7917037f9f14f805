import Foundation
import TestSupport

/// One packet of a file as ffmpeg's demultiplexer gives it, times in milliseconds from the file's first.
struct MediaPacket: Hashable, Sendable {
    var isVideo: Bool
    var decodeTime: Int
    var presentationTime: Int
    var hash: String

    static func all(of file: String) async throws -> [MediaPacket] {
        let result = try await ForeignProgram.run([
            "ffmpeg", "-v", "error", "-i", file, "-map", "0:v", "-map", "0:a", "-c", "copy", "-f", "framemd5", "-",
        ])
        guard result.status == 0 else { throw ProgramFailure(description: "ffmpeg: \(result.errors)") }
        return result.text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            guard parts.count >= 6, let decode = Int(parts[1]), let presentation = Int(parts[2]) else { return nil }
            return MediaPacket(
                isVideo: parts[0] == "0", decodeTime: decode, presentationTime: presentation, hash: parts[5])
        }
    }

    /// Writes an FLV file of a few seconds with B-frames and sound.
    static func makeFile(in folder: Folder, seconds: Int, size: String = "128x72") async throws -> String {
        let path = folder.file("\(size).flv")
        let result = try await ForeignProgram.run([
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=\(size):rate=25", "-f", "lavfi", "-i",
            "sine=frequency=440:sample_rate=44100", "-t", "\(seconds)", "-c:v", "libx264", "-preset", "veryfast", "-bf",
            "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "48k", "-f", "flv", path,
        ])
        guard result.status == 0 else { throw ProgramFailure(description: "ffmpeg: \(result.errors)") }
        return path
    }
}

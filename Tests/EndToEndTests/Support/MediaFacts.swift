import Foundation
import TestSupport

/// What ffprobe says about a file's video.
struct MediaFacts {
    /// `avc1.` and what follows, without `avc1.`: profile, constraints and level in hexadecimal.
    var avcCodec: String?
    var resolution: String?
}

extension StreamPackets {
    /// The facts of a file's first video stream.
    static func facts(of file: String) async throws -> MediaFacts {
        let probe = try await ForeignProgram.run([
            "ffprobe", "-v", "error", "-select_streams", "v:0", "-show_data", "-show_entries",
            "stream=width,height,extradata", "-of", "json", file,
        ])
        struct Document: Decodable {
            struct Stream: Decodable {
                var width: Int
                var height: Int
                var extradata: String
            }
            var streams: [Stream]
        }
        guard let stream = try JSONDecoder().decode(Document.self, from: probe.output).streams.first else {
            return MediaFacts()
        }
        // "\n00000000: 0164 000c …": version, profile, constraints, level.
        let digits = stream.extradata.split(separator: " ").dropFirst().prefix(2).joined()
        return MediaFacts(avcCodec: String(digits.dropFirst(2)), resolution: "\(stream.width)x\(stream.height)")
    }
}

import Foundation
import NIOCore
import TestSupport

/// The samples of one track of an MP4 file, which are the access units that enhanced RTMP carries, and its codec's
/// configuration record.
struct MP4Samples {
    struct Sample {
        var isVideo: Bool
        /// Milliseconds; the first picture's decode time is 0.
        var decode: Int
        var composition: Int
        var isKeyframe: Bool
        var payload: ByteBuffer
    }

    var samples: [Sample] = []
    private let file: [UInt8]

    init(_ media: SourceMedia) async throws {
        file = Array(try Data(contentsOf: URL(fileURLWithPath: media.path)))
        let probe = try await ForeignProgram.run([
            "ffprobe", "-v", "error", "-show_packets", "-show_entries",
            "packet=codec_type,pts_time,dts_time,size,pos,flags:packet_side_data=", "-of", "compact=p=0", media.path,
        ])
        var shift: Int?
        for line in probe.text.split(separator: "\n") {
            var values: [Substring: Substring] = [:]
            for field in line.split(separator: "|") {
                let parts = field.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { values[parts[0]] = parts[1] }
            }
            guard let presentation = values["pts_time"].flatMap({ Double($0) }),
                let decode = values["dts_time"].flatMap({ Double($0) }), let size = values["size"].flatMap({ Int($0) }),
                let position = values["pos"].flatMap({ Int($0) }), position + size <= file.count
            else { throw ProgramFailure(description: "not a sample: \(line)") }
            let milliseconds = Int((decode * 1_000).rounded())
            let isVideo = values["codec_type"] == "video"
            shift = min(shift ?? 0, milliseconds)
            samples.append(
                Sample(
                    isVideo: isVideo, decode: milliseconds,
                    composition: Int(((presentation - decode) * 1_000).rounded()),
                    isKeyframe: values["flags"]?.hasPrefix("K") == true,
                    payload: ByteBuffer(bytes: file[position..<position + size])))
        }
        let earliest = shift ?? 0
        for index in samples.indices { samples[index].decode -= earliest }
        samples.sort { $0.decode < $1.decode }
    }

    /// A box's contents, by its four letters: `hvcC`, `vpcC`, `dOps`, `esds`.
    func box(_ name: String) throws -> ByteBuffer {
        let letters = Array(name.utf8)
        // From the end: the index stands behind the media, which may hold the letters by chance.
        var index = file.count - 4
        while index >= 4 {
            if file[index] == letters[0], Array(file[index..<index + 4]) == letters {
                let size = file[index - 4..<index].reduce(0) { $0 << 8 | Int($1) }
                if size >= 8, index - 4 + size <= file.count {
                    return ByteBuffer(bytes: file[index + 4..<index - 4 + size])
                }
            }
            index -= 1
        }
        throw ProgramFailure(description: "no box \(name)")
    }
}

import Foundation
import TestSupport

/// One packet of a stream as ffprobe or ffmpeg sees it: what must be the same on the way in and on the way out.
struct StreamPacket: Hashable, CustomStringConvertible {
    enum Kind: String {
        case audio, video
    }

    var kind: Kind
    /// Milliseconds.
    var presentation: Int
    var decode: Int
    /// Of the payload.
    var hash: String

    var description: String { "\(kind) pts \(presentation) dts \(decode) \(hash.suffix(8))" }
}

extension [StreamPacket] {
    var video: [StreamPacket] { filter { $0.kind == .video } }
    var audio: [StreamPacket] { filter { $0.kind == .audio } }
}

/// What a file or a live stream consists of.
struct StreamPackets {
    var all: [StreamPacket] = []
    /// Hashes of packets that a decoder may start on.
    var keyframes: Set<String> = []

    /// The packets of a file, as FLV has them: times in milliseconds, payloads untouched.
    init(file: String) async throws {
        let probe = try await ForeignProgram.run([
            "ffprobe", "-v", "error", "-show_packets", "-show_data_hash", "md5", "-show_entries",
            "packet=codec_type,pts,dts,flags,data_hash:packet_side_data=", "-of", "compact=p=0", file,
        ])
        try self.init(probed: probe.text)
    }

    private init(probed text: String) throws {
        // Side data, such as a sequence header in the middle, breaks the line.
        for line in text.replacingOccurrences(of: "\n|", with: "|").split(separator: "\n") {
            var values: [Substring: Substring] = [:]
            for field in line.split(separator: "|") {
                let parts = field.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { values[parts[0]] = parts[1] }
            }
            guard let kind = values["codec_type"].flatMap({ StreamPacket.Kind(rawValue: String($0)) }) else { continue }
            guard let presentation = values["pts"].flatMap({ Int($0) }), let hash = values["data_hash"],
                let decode = values["dts"].flatMap({ Int($0) })
            else { throw ProgramFailure(description: "not a packet: \(line)") }
            all.append(
                StreamPacket(kind: kind, presentation: presentation, decode: decode, hash: String(hash)))
            if kind == .video, values["flags"]?.hasPrefix("K") == true { keyframes.insert(String(hash)) }
        }
    }

    /// The coded slices and the sound of any input, whatever container they came in: without the parameter sets, start
    /// codes, delimiters and ADTS headers that containers add.
    static func slices(of input: String, options: [String] = [], video: String?, audio: String?) async throws
        -> StreamPackets
    {
        var arguments = ["ffmpeg", "-v", "error", "-copyts"] + options + ["-i", input]
        if let video { arguments += ["-map", "0:v", "-bsf:v", video] }
        if let audio { arguments += ["-map", "0:a", "-bsf:a", audio] }
        let result = try await ForeignProgram.run(arguments + ["-c", "copy", "-f", "framemd5", "-"])
        guard result.status == 0 else { throw ProgramFailure(description: "\(input): \(result.errors)") }
        return try StreamPackets(frameHashes: result.text)
    }

    /// Bitstream filters that leave what counts.
    enum Filter {
        static let h264FromFLV = "h264_mp4toannexb,filter_units=pass_types=1-5"
        static let h264FromTS = "filter_units=pass_types=1-5"
        static let aacFromTS = "aac_adtstoasc"
        static let none = "null"
    }

    private init(frameHashes text: String) throws {
        var kinds: [Int: StreamPacket.Kind] = [:]
        var scales: [Int: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: { " ,:/".contains($0) })
            if line.hasPrefix("#tb"), words.count == 4, let index = Int(words[1]), let scale = Int(words[3]) {
                scales[index] = scale
            } else if line.hasPrefix("#media_type"), words.count == 3, let index = Int(words[1]) {
                kinds[index] = StreamPacket.Kind(rawValue: String(words[2]))
            } else if !line.hasPrefix("#"), words.count >= 6 {
                guard let index = Int(words[0]), let decode = Int(words[1]), let presentation = Int(words[2]),
                    let kind = kinds[index], let scale = scales[index]
                else { throw ProgramFailure(description: "not a frame: \(line)") }
                // Rounded down alike for every container; tests allow for one.
                all.append(
                    StreamPacket(
                        kind: kind, presentation: presentation * 1_000 / scale, decode: decode * 1_000 / scale,
                        hash: String(words[5])))
            }
        }
    }
}

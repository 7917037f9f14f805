import Foundation
import Media
import NIOCore
import Testing

@testable import MPEGTS

/// What ffmpeg and ffprobe read out of our multiplex, against what they read out of the source. Left out where they are
/// not installed.
@Suite(.enabled(if: Program.isInstalled)) struct FFmpegTests {
    struct PacketLine: Equatable {
        var pts: Int64
        var dts: Int64
        var size: Int
        var isKeyframe: Bool
    }

    private func packets(_ path: String, stream: String) throws -> [PacketLine] {
        let output = try Program.run(
            "ffprobe",
            [
                "-v", "error", "-select_streams", stream, "-show_entries", "packet=pts,dts,size,flags", "-of",
                "compact=nk=0:p=0", path,
            ])
        return output.split(separator: "\n").compactMap { line in
            var fields: [Substring: Substring] = [:]
            for field in line.split(separator: "|") {
                let pair = field.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { fields[pair[0]] = pair[1] }
            }
            guard let pts = fields["pts"].flatMap({ Int64($0) }), let dts = fields["dts"].flatMap({ Int64($0) }),
                let size = fields["size"].flatMap({ Int($0) }), let flags = fields["flags"]
            else { return nil }
            return PacketLine(pts: pts, dts: dts, size: size, isKeyframe: flags.hasPrefix("K"))
        }
    }

    /// Size and hash of every packet, parameter sets and delimiters taken out of pictures, ADTS off sound.
    private func hashes(_ path: String, map: String, filter: [String]) throws -> [String] {
        try Program.run(
            "ffmpeg", ["-v", "error", "-i", path, "-map", map, "-c", "copy"] + filter + ["-f", "framemd5", "-"]
        )
        .split(separator: "\n").filter { !$0.hasPrefix("#") }
        .map { $0.split(separator: ",").dropFirst(4).prefix(2).joined() }
    }

    private func decoded(_ path: String, map: String) throws -> [String] {
        try Program.run("ffmpeg", ["-v", "error", "-i", path, "-map", map, "-f", "framemd5", "-"])
            .split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.split(separator: ",").dropFirst(4).joined() }
    }

    @Test("ffmpeg reads the publisher's access units")
    func ffmpegReadsThePublishersUnits() throws {
        let source = try FLVFile("bframes.flv")
        var muxer = try TransportStreamMuxer(tracks: source.tracks)
        try Program.withFile(try muxer.segment(source.units)) { path in
            let original = Fixture.url("bframes.flv").path()
            // Pictures: to the tick.
            let expected = try packets(original, stream: "v").map { line in
                PacketLine(
                    pts: line.pts * 90 + 900_000, dts: line.dts * 90 + 900_000, size: 0, isKeyframe: line.isKeyframe)
            }
            let pictures = try packets(path, stream: "v").map { line in
                PacketLine(pts: line.pts, dts: line.dts, size: 0, isKeyframe: line.isKeyframe)
            }
            #expect(expected.count == 60)
            #expect(pictures == expected)
            let filter = ["-bsf:v", "h264_mp4toannexb,filter_units=remove_types=7-9"]
            #expect(try hashes(path, map: "0:v", filter: filter) == hashes(original, map: "0:v", filter: filter))
            #expect(try decoded(path, map: "0:v") == decoded(original, map: "0:v"))

            // Sound: the same frames, within the milliseconds' rounding.
            let sent = try packets(original, stream: "a")
            let heard = try packets(path, stream: "a")
            #expect(heard.map(\.size) == sent.map { $0.size + 7 })
            #expect(zip(heard, sent).allSatisfy { abs($0.pts - $1.pts * 90 - 900_000) <= 180 })
            #expect(
                try hashes(path, map: "0:a", filter: ["-bsf:a", "aac_adtstoasc"])
                    == hashes(original, map: "0:a", filter: []))
        }
    }

    @Test("ffmpeg reads the other codecs", arguments: ["hevc-mp3.ts", "slow-opus.ts"])
    func ffmpegReadsTheOtherCodecs(fixture: String) throws {
        let found = Found(try Fixture.load(fixture))
        var tracks = TrackSet()
        for configuration in found.configurations {
            if configuration.codec.isVideo {
                tracks.video = configuration
            } else {
                tracks.audio = configuration
            }
        }
        var muxer = try TransportStreamMuxer(tracks: tracks, timestampOffset: .zero)
        try Program.withFile(try muxer.segment(found.units)) { path in
            let original = Fixture.url(fixture).path()
            for stream in ["v", "a"] {
                let expected = try packets(original, stream: stream)
                let read = try packets(path, stream: stream)
                #expect(read.count == expected.count)
                #expect(zip(read, expected).allSatisfy { abs($0.pts - $1.pts) <= 180 && abs($0.dts - $1.dts) <= 180 })
            }
            #expect(try decoded(path, map: "0:v") == decoded(original, map: "0:v"))
            #expect(try hashes(path, map: "0:a", filter: []) == hashes(original, map: "0:a", filter: []))
            let names = try Program.run(
                "ffprobe", ["-v", "error", "-show_entries", "stream=codec_name,channels", "-of", "csv=p=0", path])
            let originalNames = try Program.run(
                "ffprobe", ["-v", "error", "-show_entries", "stream=codec_name,channels", "-of", "csv=p=0", original])
            #expect(names == originalNames)
        }
    }

    @Test("ffmpeg finds no fault across segments, nor in audio alone")
    func ffmpegFindsNoFaultAcrossSegmentsAndAudioOnly() throws {
        let source = try FLVFile("bframes.flv")
        var muxer = try TransportStreamMuxer(tracks: TrackSet(audio: source.tracks.audio))
        let sound = source.units.filter { !$0.codec.isVideo }
        var stream = try muxer.segment(Array(sound[..<50]))
        stream.writeImmutableBuffer(try muxer.segment(Array(sound[50...])))
        try Program.withFile(stream) { path in
            // Continuity errors would be told on the error output, which `run` refuses.
            _ = try Program.run("ffmpeg", ["-v", "warning", "-i", path, "-f", "null", "-"])
            #expect(try packets(path, stream: "a").count == sound.count)
        }
    }
}

enum Program {
    static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/bin/ffprobe")

    struct Failure: Error {
        let status: Int32
        let output: String
    }

    /// Runs a program to its end and returns what it printed; anything on its error output is a failure.
    static func run(_ name: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/\(name)")
        process.arguments = arguments
        let output = Pipe()
        let errors = FileManager.default.temporaryDirectory.appending(path: "mpegts-\(UUID().uuidString).log")
        try Data().write(to: errors)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let complaints = try String(contentsOf: errors, encoding: .utf8)
        guard process.terminationStatus == 0, complaints.isEmpty else {
            throw Failure(status: process.terminationStatus, output: complaints)
        }
        return String(decoding: data, as: UTF8.self)
    }

    static func withFile(_ stream: ByteBuffer, _ body: (String) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "mpegts-\(UUID().uuidString).ts")
        defer { try? FileManager.default.removeItem(at: url) }
        try Data(stream.readableBytesView).write(to: url)
        try body(url.path())
    }
}

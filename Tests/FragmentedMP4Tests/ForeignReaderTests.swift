import Foundation
import Media
import NIOCore
import TestSupport
import Testing

@testable import FragmentedMP4

/// ffmpeg and GStreamer must get out of our files what real encoders put in.
@Suite struct ForeignReaderTests {
    private struct Streams: Decodable {
        struct Stream: Decodable {
            var codec_name: String
            var codec_tag_string: String
            var time_base: String
            var width: Int?
            var height: Int?
            var sample_rate: String?
            var channels: Int?
        }
        var streams: [Stream]
    }

    /// A whole file: the initialization and fragments of about 300 ms.
    private func write(_ file: AccessUnitFile, to url: URL) throws {
        var bytes = try InitializationSegment.make(tracks: file.tracks)
        var writer = try FragmentWriter(tracks: file.tracks)
        var start: MediaTime?
        for unit in file.units {
            if let start, unit.decodeTime - start >= MediaTime(milliseconds: 300) {
                _ = writer.write(videoEnd: unit.codec.isVideo ? unit.decodeTime : nil, into: &bytes)
            }
            if writer.pendingBytes == 0 { start = unit.decodeTime }
            try writer.append(unit)
        }
        _ = writer.write(into: &bytes)
        let names = try Fixture.boxes(in: bytes).map(\.name)
        #expect(names.prefix(4) == ["ftyp", "moov", "moof", "mdat"] && names.count > 4)
        try Data(bytes.readableBytesView).write(to: url)
    }

    @Test(
        "ffmpeg reads the tracks and every sample",
        arguments: [
            ("avc-aac", "h264 avc1 1/90000 64x36, aac mp4a 1/44100 44100 Hz 1"),
            ("hevc-mp3", "hevc hvc1 1/90000 64x36, mp3 mp4a 1/44100 44100 Hz 1"),
            ("av1", "av1 av01 1/90000 64x36"),
            ("vp9-opus", "vp9 vp09 1/90000 64x36, opus Opus 1/48000 48000 Hz 1"),
            ("ac3", "ac3 ac-3 1/48000 48000 Hz 2"), ("eac3", "eac3 ec-3 1/48000 48000 Hz 6"),
            ("flac", "flac fLaC 1/48000 48000 Hz 2"),
        ]) func ffmpegReadsTheTracksAndEverySample(_ name: String, _ streams: String) async throws
    {
        let file = try Fixture.file(name)
        let folder = try Folder()
        try write(file, to: folder.url.appendingPathComponent("out.mp4"))
        let shown = try await cleanOutput(
            of: ["ffprobe", "-v", "error", "-show_streams", "-of", "json", "out.mp4"], in: folder)
        let found = try JSONDecoder().decode(Streams.self, from: Data(shown.utf8)).streams.map { stream in
            let size = stream.width.flatMap { width in stream.height.map { "\(width)x\($0)" } }
            let sound = "\(stream.sample_rate ?? "") Hz \(stream.channels ?? 0)"
            return "\(stream.codec_name) \(stream.codec_tag_string) \(stream.time_base) \(size ?? sound)"
        }
        #expect(found.joined(separator: ", ") == streams)

        let read = try await ProbedPacket.all(of: "out.mp4", in: folder)
        for isVideo in [true, false] {
            let got = read.filter { $0.isVideo == isVideo }
            let sent = file.units.filter { $0.codec.isVideo == isVideo }
            #expect(got.count == sent.count)
            for (packet, unit) in zip(got, sent) {
                // ffprobe prints microseconds; a tick of 44.1 kHz is 22.7 of them.
                #expect(abs(packet.decodeTime - unit.decodeTime.nanoseconds) <= 23_700)
                #expect(abs(packet.presentationTime - unit.presentationTime.nanoseconds) <= 23_700)
                #expect(packet.isKeyframe == unit.isKeyframe)
            }
        }
        // Decodes every byte of it.
        _ = try await cleanOutput(
            of: ["ffmpeg", "-v", "error", "-xerror", "-i", "out.mp4", "-f", "null", "-"], in: folder)
    }

    @Test("GStreamer plays AC-3, Enhanced AC-3 and FLAC", arguments: ["ac3", "eac3", "flac"])
    func gstreamerPlays(_ name: String) async throws {
        let file = try Fixture.file(name)
        let folder = try Folder()
        try write(file, to: folder.url.appendingPathComponent("out.mp4"))
        try await ForeignProgram.output(
            of: [
                "gst-launch-1.0", "-q", "filesrc", "location=out.mp4", "!", "qtdemux", "!", "decodebin", "!",
                "audioconvert", "!", "audio/x-raw,format=S16LE,channels=1", "!", "filesink", "location=out.raw",
            ], directory: folder.path)
        let played = try Data(contentsOf: folder.url.appendingPathComponent("out.raw"))
        let samples = file.units.reduce(0) { $0 + (file.tracks.audio?.samples(inUnit: $1.payload) ?? 0) }
        #expect(samples >= 24_000)
        // A decoder may give its first frame late, or not at all.
        #expect((samples - 1_536...samples).contains(played.count / 2))
    }

    /// As ffmpeg's own MP4 writer has them for the same frames.
    @Test(
        "The boxes for AC-3, Enhanced AC-3 and FLAC are those that ffmpeg writes",
        arguments: [
            ("ac3", "ac-3", "dac3", "1010c0"), ("eac3", "ec-3", "dec3", "0600200f00"),
            (
                "flac", "fLaC", "dfLa",
                "00000000 80000022 1200120000015000 05170bb802f000005dc0a2fc3617bc0e6c99e035cbe06fb4e52a"
            ),
        ]) func specificBoxes(_ name: String, _ entry: String, _ box: String, _ content: String) throws
    {
        let configuration = try #require(try Fixture.file(name).tracks.audio)
        #expect(
            try Fixture.specificBox(box, of: configuration, in: entry).map { Fixture.hexadecimal($0) } == [
                content.replacing(" ", with: "")
            ])
    }

    @Test("Colors stand in the sample entry, as ffmpeg writes and reads them")
    func colors() async throws {
        var file = try Fixture.file("avc-aac")
        #expect(try Fixture.specificBox("colr", of: #require(file.tracks.video), in: "avc1").isEmpty)
        file.tracks.video?.color = VideoColor(
            primaries: 9, transfer: 16, matrix: 9, isFullRange: false,
            contentLight: .init(maximum: 1_000, maximumAverage: 400),
            masteringDisplay: .init(
                red: .init(x: 34_000, y: 16_000), green: .init(x: 13_250, y: 34_500), blue: .init(x: 7_500, y: 3_000),
                white: .init(x: 15_635, y: 16_450), maximumLuminance: 10_000_000, minimumLuminance: 50))
        let video = try #require(file.tracks.video)
        #expect(
            try Fixture.specificBox("colr", of: video, in: "avc1").map { Fixture.hexadecimal($0) } == [
                "6e636c7800090010000900"
            ])
        let folder = try Folder()
        try write(file, to: folder.url.appendingPathComponent("out.mp4"))
        let shown = try await cleanOutput(
            of: [
                "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
                "stream=color_range,color_space,color_transfer,color_primaries:stream_side_data", "-of",
                "compact=p=0:nk=0", "out.mp4",
            ], in: folder)
        for expected in [
            "color_range=tv", "color_space=bt2020nc", "color_transfer=smpte2084", "color_primaries=bt2020",
            "red_x=34000/50000", "green_y=34500/50000", "blue_x=7500/50000", "white_point_y=16450/50000",
            "min_luminance=50/10000", "max_luminance=10000000/10000", "max_content=1000", "max_average=400",
        ] { #expect(shown.contains(expected), "\(expected): \(shown)") }
    }
}

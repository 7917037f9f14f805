import Foundation
import Media
import NIOCore
import TestSupport
import Testing

@testable import FragmentedMP4

/// ffmpeg must get out of our files what real encoders put in.
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
}

import Foundation
import Media
import NIOCore
import TestSupport
import Testing

@testable import FragmentedMP4

@Suite("What an encoder tells viewers, in a fragment") struct EventMessageTests {
    @Test("An event is written byte for byte as the standards have it")
    func bytes() throws {
        let told = TimedMetadata(name: "onTextData", json: #"{"text":"é"}"#)
        let event = try #require(EventMessage(told, time: MediaTime(milliseconds: 3_500), identifier: 7))
        var written = ByteBuffer()
        written.writeInteger(UInt8(0xAA))
        event.write(origin: MediaTime(milliseconds: 500), into: &written)
        #expect(written.readInteger(as: UInt8.self) == 0xAA)

        var expected = ByteBuffer()
        expected.writeInteger(UInt32(107))
        expected.writeString("emsg")
        // Version 1; 90 kHz; three seconds; it lasts for nobody knows how long; its number.
        expected.writeMultipleIntegers(UInt32(0x0100_0000), UInt32(90_000), UInt64(270_000), UInt32.max, UInt32(7))
        expected.writeString("https://aomedia.org/emsg/ID3\0\0")
        // ID3 2.4 with one frame: 10 bytes of head, a byte for UTF-8, the name, a zero, the text.
        expected.writeString("ID3\u{4}\0\0\0\0\0\u{23}TXXX\0\0\0\u{19}\0\0\u{3}onTextData\0{\"text\":\"é\"}")
        #expect(written == expected)
    }

    @Test("Sizes in an ID3 tag leave the highest bit of every byte out", arguments: [100, 127, 128, 16_384, 2_097_152])
    func sizes(length: Int) throws {
        let tag = try #require(ID3Tag.userText(description: "d", value: String(repeating: "x", count: length)))
        func size(at index: Int) -> Int {
            (0..<4).reduce(0) { $0 << 7 | Int(tag.getInteger(at: index + $1, as: UInt8.self) ?? 0) }
        }
        #expect(tag.readableBytes == length + 23)
        #expect(size(at: 6) == length + 13)
        #expect(size(at: 14) == length + 3)
        #expect((6..<10).allSatisfy { tag.getInteger(at: $0, as: UInt8.self).map { $0 < 0x80 } == true })
    }

    @Test("A text that is too long for an ID3 frame is no event")
    func tooLong() {
        #expect(ID3Tag.userText(description: "", value: String(repeating: "x", count: 1 << 28)) == nil)
    }

    @Test("An event before the file's time 0 is at 0")
    func beforeTheOrigin() throws {
        let event = EventMessage(scheme: "s", time: .zero, identifier: 0, message: ByteBuffer())
        var written = ByteBuffer()
        event.write(origin: MediaTime(milliseconds: 500), into: &written)
        #expect(written.getInteger(at: 16, as: UInt64.self) == 0)
    }

    @Test("ffmpeg reads the ID3 tag")
    func foreignReaderOfID3() async throws {
        let told = TimedMetadata(name: "onTextData", json: #"{"text":"é 😀"}"#)
        var file = try #require(EventMessage(told, time: .zero, identifier: 0)).message
        // In front of MP3, where such tags come from.
        for unit in try Fixture.file("hevc-mp3").units where !unit.codec.isVideo {
            file.writeImmutableBuffer(unit.payload)
        }
        let folder = try Folder()
        try Data(file.readableBytesView).write(to: folder.url.appendingPathComponent("out.mp3"))
        let shown = try await cleanOutput(
            of: ["ffprobe", "-v", "error", "-show_entries", "format_tags", "-of", "default=nw=1", "out.mp3"], in: folder
        )
        #expect(shown == "TAG:onTextData={\"text\":\"é 😀\"}\n")
    }

    @Test("ffmpeg and GStreamer read on over events")
    func foreignReaders() async throws {
        let file = try Fixture.file("avc-aac")
        let folder = try Folder()
        var bytes = try InitializationSegment.make(tracks: file.tracks)
        var writer = try FragmentWriter(tracks: file.tracks)
        var events: UInt32 = 0
        for (index, unit) in file.units.enumerated() {
            if index > 0, index % 20 == 0 {
                let told = TimedMetadata(name: "onCuePoint", json: #"{"name":"cue"}"#)
                EventMessage(told, time: unit.decodeTime, identifier: events)?.write(origin: .zero, into: &bytes)
                events += 1
                _ = writer.write(into: &bytes)
            }
            try writer.append(unit)
        }
        _ = writer.write(into: &bytes)
        #expect(events > 1)
        try Data(bytes.readableBytesView).write(to: folder.url.appendingPathComponent("out.mp4"))
        #expect(try await ProbedPacket.all(of: "out.mp4", in: folder).count == file.units.count)
        _ = try await cleanOutput(
            of: ["ffmpeg", "-v", "error", "-xerror", "-i", "out.mp4", "-f", "null", "-"], in: folder)
        try await ForeignProgram.output(
            of: [
                "gst-launch-1.0", "-q", "filesrc", "location=out.mp4", "!", "qtdemux", "name=demux", "demux.video_0",
                "!",
                "h264parse", "!", "avdec_h264", "!", "fakesink",
            ], directory: folder.path)
    }
}

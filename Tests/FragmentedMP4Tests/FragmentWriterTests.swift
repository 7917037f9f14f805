import Media
import NIOCore
import Testing

@testable import FragmentedMP4

@Suite struct FragmentWriterTests {
    private let tracks: TrackSet

    init() throws {
        tracks = try Fixture.file("avc-aac").tracks
    }

    private func video(_ milliseconds: Int64, offset: Int64 = 0, key: Bool = false) -> AccessUnit {
        AccessUnit(
            codec: .video(.avc), decodeTime: MediaTime(milliseconds: milliseconds),
            compositionOffset: MediaTime(milliseconds: offset), isKeyframe: key,
            payload: ByteBuffer(repeating: UInt8(truncatingIfNeeded: milliseconds), count: 5))
    }

    private func audio(_ milliseconds: Int64) -> AccessUnit {
        AccessUnit(
            codec: .audio(.aac), decodeTime: MediaTime(milliseconds: milliseconds), isKeyframe: true,
            payload: ByteBuffer(repeating: 0xaa, count: 3))
    }

    @Test("A fragment is written byte for byte as the standard has it")
    func writesEveryByteOfAFragment() throws {
        var writer = try FragmentWriter(tracks: TrackSet(video: tracks.video))
        try writer.append(video(1_000, offset: 80, key: true))
        try writer.append(video(1_040, offset: -40))
        var bytes = ByteBuffer()
        _ = writer.write(videoEnd: MediaTime(milliseconds: 1_080), into: &bytes)
        let expected: [UInt32] = [
            120, Fixture.code("moof"), 16, Fixture.code("mfhd"), 0, 1, 96, Fixture.code("traf"),
            16, Fixture.code("tfhd"), 0x0002_0000, 1, 20, Fixture.code("tfdt"), 0x0100_0000, 0, 90_000,
            52, Fixture.code("trun"), 0x0100_0f01, 2, 128,
            3_600, 5, 0x0200_0000, 7_200, 3_600, 5, 0x0101_0000, UInt32(bitPattern: -3_600),
            18, Fixture.code("mdat"),
        ]
        for word in expected {
            #expect(bytes.readInteger(as: UInt32.self) == word)
        }
        #expect(bytes == ByteBuffer(bytes: [0xe8, 0xe8, 0xe8, 0xe8, 0xe8, 0x10, 0x10, 0x10, 0x10, 0x10]))
    }

    @Test("Each track has a fragment of its own, and nothing is held back for the frame that comes next")
    func writesAFragmentForEachTrack() throws {
        var writer = try FragmentWriter(tracks: tracks)
        for time: Int64 in [0, 40, 80] { try writer.append(video(time, key: time == 0)) }
        try writer.append(audio(0))
        #expect(writer.pendingBytes == 18)
        var bytes = ByteBuffer(string: "before")
        let written = writer.write(into: &bytes)
        #expect(writer.pendingBytes == 0)
        #expect(bytes.readString(length: 6) == "before")
        #expect(
            try Fixture.runs(in: bytes) == [
                .init(track: 1, start: 0, durations: [3_600, 3_600, 3_600]),
                .init(track: 2, start: 0, durations: [1_024]),
            ])
        // Where the payloads are: the video's are the low bytes of their times, the audio's are 0xaa.
        let videoStart = try #require(written.video)
        #expect(
            bytes.getBytes(at: videoStart, length: 15) == [UInt8](repeating: 0, count: 5)
                + .init(repeating: 40, count: 5) + .init(repeating: 80, count: 5))
        let audioStart = try #require(written.audio)
        #expect(bytes.getBytes(at: audioStart, length: 3) == [0xaa, 0xaa, 0xaa])
        // The bytes of one track are a file of that track.
        #expect(written.audioStart == videoStart + 15)
        let alone = try #require(bytes.getSlice(at: written.audioStart, length: bytes.writerIndex - written.audioStart))
        #expect(try Fixture.runs(in: alone) == [.init(track: 2, start: 0, durations: [1_024])])
        bytes.clear()
        let nothing = writer.write(into: &bytes)
        #expect(bytes.readableBytes == 0 && nothing.video == nil && nothing.audio == nil)
    }

    @Test("Audio frames stand end to end, whatever the milliseconds say")
    func framesOfSoundStandEndToEndWhateverTheMillisecondsSay() throws {
        var writer = try FragmentWriter(tracks: TrackSet(audio: tracks.audio))
        // 1,024 samples of 44.1 kHz in whole milliseconds, then a gap.
        for time: Int64 in [0, 23, 46, 70, 93, 593, 616] { try writer.append(audio(time)) }
        var bytes = ByteBuffer()
        _ = writer.write(into: &bytes)
        // 593 ms are 26,151 ticks, and the last frame before the gap starts at 4,096.
        #expect(
            try Fixture.runs(in: bytes) == [
                .init(track: 2, start: 0, durations: [1_024, 1_024, 1_024, 1_024, 22_055, 1_024, 1_024])
            ])
    }

    @Test("Time that goes back is put right by the next fragment")
    func timeThatGoesBackIsPutRightByTheNextFragment() throws {
        var writer = try FragmentWriter(tracks: TrackSet(video: tracks.video))
        for time: Int64 in [100, 140, 60, 100] { try writer.append(video(time)) }
        var bytes = ByteBuffer()
        _ = writer.write(into: &bytes)
        try writer.append(video(140))
        _ = writer.write(into: &bytes)
        #expect(
            try Fixture.runs(in: bytes) == [
                .init(track: 1, start: 9_000, durations: [3_600, 0, 3_600, 3_600]),
                .init(track: 1, start: 12_600, durations: [3_600]),
            ])
    }

    @Test("Times count from the origin and are never negative")
    func timesCountFromTheOriginAndAreNeverNegative() throws {
        var writer = try FragmentWriter(
            tracks: TrackSet(video: tracks.video), origin: MediaTime(milliseconds: -1_000))
        var bytes = ByteBuffer()
        for time: Int64 in [-1_000, -2_000, .min, .max] {
            try writer.append(video(time))
            _ = writer.write(into: &bytes)
        }
        #expect(try Fixture.runs(in: bytes).map(\.start).prefix(3) == [0, 0, 0])
    }

    @Test("An access unit that has no track is refused")
    func refusesWhatHasNoTrack() throws {
        #expect(throws: FragmentedMP4Error.noTracks) { try FragmentWriter(tracks: TrackSet()) }
        #expect(throws: FragmentedMP4Error.noTracks) { try InitializationSegment.make(tracks: TrackSet()) }
        var writer = try FragmentWriter(tracks: TrackSet(video: tracks.video))
        #expect(throws: FragmentedMP4Error.undeclaredCodec) { try writer.append(audio(0)) }
        let other = AccessUnit(
            codec: .video(.hevc), decodeTime: .zero, isKeyframe: true, payload: ByteBuffer(string: "x"))
        #expect(throws: FragmentedMP4Error.undeclaredCodec) { try writer.append(other) }
        #expect(writer.pendingBytes == 0)
    }
}

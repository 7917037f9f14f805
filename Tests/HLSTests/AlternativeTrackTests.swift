import FragmentedMP4
import Media
import NIOCore
import TestSupport
import Testing

@testable import HLS

/// Tracks that have playlists and files of their own.
@Suite("Tracks with playlists of their own") struct AlternativeTrackTests {
    let second = TrackID(.audio, number: 1)

    func tracks() throws -> TrackSet {
        var tracks = try SyntheticStream.tracks()
        tracks[second] = tracks.audio
        return tracks
    }

    /// Both default tracks, and 5 ms behind each audio frame one of another track.
    func units(_ range: Range<Int64>) -> [AccessUnit] {
        SyntheticStream.both(range).flatMap { unit -> [AccessUnit] in
            guard !unit.codec.isVideo else { return [unit] }
            var other = SyntheticStream.audio(unit.decodeTime.milliseconds + 5)
            other.track = second
            other.payload = ByteBuffer(repeating: 0x22, count: 9)
            return [unit, other]
        }
    }

    private func stream(_ range: Range<Int64>, of tracks: TrackSet) throws -> SegmentedStream {
        var stream = SegmentedStream(configuration: SegmenterConfiguration(window: 30))
        try stream.setTracks(tracks)
        for unit in units(range) { _ = stream.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds) }
        return stream
    }

    private func lines(_ form: PlaylistForm, _ snapshot: PlaylistSnapshot) -> [String] {
        String(buffer: snapshot.mediaPlaylist(form)).split(separator: "\n").map(String.init)
    }

    /// A playlist without what differs between tracks: names and what is said of pictures.
    private func skeleton(_ form: PlaylistForm, _ snapshot: PlaylistSnapshot) -> [String] {
        lines(form, snapshot).map {
            $0.replacing(/(media|(init_|part_)?(audio_1|audio|video)|init|part)_/, with: "").replacing(
                ",INDEPENDENT=YES", with: "")
        }.filter { $0 != "#EXT-X-INDEPENDENT-SEGMENTS" }
    }

    @Test("Each track's playlist has the segments, parts and numbers of the whole, under names of its own")
    func playlists() throws {
        let stream = try stream(0..<8_500, of: tracks())
        let snapshot = try #require(stream.snapshot)
        let whole = skeleton(.fragmentedMP4, snapshot)
        for track in [TrackID.video, .audio, second] {
            #expect(skeleton(.track(track), snapshot) == whole)
            #expect(skeleton(.trackDelta(track), snapshot) == skeleton(.delta, snapshot))
        }
        let audio = lines(.track(second), snapshot)
        #expect(audio.contains("#EXT-X-MAP:URI=\"init_audio_1_0.mp4\""))
        #expect(audio.contains("#EXT-X-INDEPENDENT-SEGMENTS"))
        #expect(audio.contains("#EXT-X-PART:DURATION=0.200000,URI=\"part_audio_1_0_12.m4s\",INDEPENDENT=YES"))
        #expect(audio.last == "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part_audio_1_0_40.m4s\"")
        let names = audio.filter { !$0.hasPrefix("#") }
        #expect(names == (0..<4).map { "audio_1_\($0).m4s" })
        #expect(!audio.joined().contains("GAP"))
        for line in audio where line.hasPrefix("#EXT-X-PART:") {
            let name = try #require(line.split(separator: "\"").dropFirst().first.flatMap { MediaFileName(String($0)) })
            let file = try #require(snapshot.file(name), "\(line)")
            #expect(file.contentType == "audio/mp4")
        }
        let hint = try #require(MediaFileName("part_audio_1_0_40.m4s"))
        #expect(snapshot.isHint(hint) && snapshot.file(hint) == nil)
        #expect(snapshot.file(.trackInitialization(second, 0))?.contentType == "audio/mp4")
    }

    @Test("All of another audio track is in its segments, which are its parts, and nothing of it in the others'")
    func content() throws {
        let stream = try stream(0..<8_500, of: tracks())
        let snapshot = try #require(stream.snapshot)
        var frames = 0
        for segment in snapshot.listed {
            let file = try #require(snapshot.file(.trackSegment(second, segment.sequence)))
            var joined = ByteBuffer()
            for part in segment.fragments {
                if let fragment = part.fragment(second) { joined.writeImmutableBuffer(fragment) }
            }
            #expect(file.bytes == joined)
            #expect(segment.span(second)?.timescale == 44_100)
            frames += self.frames(in: file.bytes)
            #expect(self.frames(in: segment.bytes) == 0)
            #expect(segment.bytes.readableBytes == segment.length(.video) + segment.length(.audio))
            #expect(segment.totalLength == segment.bytes.readableBytes + segment.length(second))
            #expect(segment.tracks.list.map(\.id) == [.video, .audio, second])
        }
        #expect(stream.segmenter.discardedUnits == 0)
        // Every 20 ms, up to the keyframe at 8 s; the last two came after the last part and wait for the next one.
        #expect(frames == 398)
        let rendition = snapshot.rendition(uri: "x", of: second)
        let most = snapshot.listed.map { BandwidthMeter.bitsPerSecond(bytes: $0.length(second), duration: $0.duration) }
        #expect(rendition.peakBandwidth == most.max())
        #expect(rendition.codecs == ["mp4a.40.2"] && rendition.resolution == nil && rendition.frameRate == nil)
        let video = snapshot.rendition(uri: "x", of: .video)
        #expect(video.codecs == [try #require(snapshot.tracks.video?.codecString)])
        #expect(video.resolution == snapshot.tracks.video?.resolution && video.frameRate == 25)
    }

    /// Frames of the other track: nine bytes of 0x22 each.
    private func frames(in bytes: ByteBuffer) -> Int {
        bytes.readableBytesView.split(whereSeparator: { $0 != 0x22 }).reduce(0) { $0 + $1.count / 9 }
    }

    @Test("A track that comes late has gaps before it, and those of the others go on without a break")
    func late() throws {
        var stream = try stream(0..<3_000, of: SyntheticStream.tracks())
        #expect(stream.segmenter.discardedUnits == 150)
        try stream.setTracks(tracks())
        for unit in units(3_000..<10_500) {
            _ = stream.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds)
        }
        let snapshot = try #require(stream.snapshot)
        #expect(!lines(.fragmentedMP4, snapshot).contains("#EXT-X-DISCONTINUITY"))
        #expect(lines(.fragmentedMP4, snapshot).count { $0.hasPrefix("#EXT-X-MAP") } == 1)
        let audio = lines(.track(second), snapshot)
        let gaps = audio.indices.filter { audio[$0] == "#EXT-X-GAP" }.map { audio[$0 + 2] }
        #expect(gaps == ["audio_1_0.m4s", "audio_1_1.m4s"])
        #expect(audio.filter { $0.hasPrefix("#EXT-X-MAP") } == ["#EXT-X-MAP:URI=\"init_audio_1_2.mp4\""])
        #expect(snapshot.file(.trackSegment(second, 1)) == nil)
        #expect(snapshot.has(second) && !snapshot.has(TrackID(.audio, number: 2)))
    }

    @Test("Audio that goes on while video has stopped does not pile up")
    func bounded() throws {
        var stream = SegmentedStream()
        try stream.setTracks(tracks())
        for unit in units(0..<2_500) { _ = stream.append(unit, now: unit.decodeTime.milliseconds) }
        let before = stream.segmenter.discardedUnits
        var unit = SyntheticStream.audio(3_000)
        unit.track = second
        unit.payload = ByteBuffer(repeating: 1, count: 300_000)
        for _ in 0..<10 { _ = stream.append(unit, now: 3_000) }
        #expect(stream.segmenter.discardedUnits - before == 7)
    }

    @Test("A part without a frame of the track is a gap")
    func gap() throws {
        var stream = SegmentedStream(configuration: SegmenterConfiguration(window: 30))
        try stream.setTracks(tracks())
        for unit in units(0..<6_500)
        where unit.track != second || !(4_160..<4_600).contains(unit.decodeTime.milliseconds) {
            _ = stream.append(unit, now: unit.decodeTime.milliseconds)
        }
        let gaps = lines(.track(second), try #require(stream.snapshot)).filter { $0.contains("GAP") }
        #expect(
            gaps == [
                "#EXT-X-PART:DURATION=0.200000,URI=\"part_audio_1_0_21.m4s\",INDEPENDENT=YES,GAP=YES",
                "#EXT-X-PART:DURATION=0.200000,URI=\"part_audio_1_0_22.m4s\",INDEPENDENT=YES,GAP=YES",
            ])
    }

    @Test("Names of tracks' files are read as they are written, and in no other spelling")
    func names() {
        let names: [MediaFileName] = [
            .trackSegment(second, 7), .trackInitialization(TrackID(.audio, number: 255), 0),
            .trackPart(.video, life: 1, number: 2), .trackPart(.audio, life: 1, number: 2),
            .trackPart(second, life: 1, number: 0),
        ]
        #expect(
            names.map(\.description) == [
                "audio_1_7.m4s", "init_audio_255_0.mp4", "part_video_1_2.m4s", "part_audio_1_2.m4s",
                "part_audio_1_1_0.m4s",
            ])
        for name in names { #expect(MediaFileName(name.description) == name) }
        for text in [
            "audio_0_7.m4s", "audio_256_7.m4s", "video_1_7.m4s", "audio_1_7_8.m4s", "part_audio_1.m4s",
            "part_audio_0_1_2.m4s", "part_1_2_3.m4s", "audio_01_2.m4s", "media_1_2.m4s", "audio__2.m4s",
            "part_audio_1_2_3_4.m4s",
        ] {
            #expect(MediaFileName(text) == nil, "\(text)")
        }
    }

    @Test("A master playlist lists audio tracks in groups, with the address of each where players look for it")
    func master() {
        var video = Rendition(uri: "v", peakBandwidth: 10, codecs: ["a", "b"])
        video.audioGroup = "audio"
        let playlist = MasterPlaylist(
            renditions: [video],
            audio: [
                AudioRendition(
                    group: "audio", name: "English", language: "en", isDefault: true, channels: 2, uri: "a"),
                AudioRendition(group: "audio", name: "Say \"hi\"", isDefault: false, uri: "b"),
            ], hasIndependentSegments: true)
        #expect(
            String(buffer: playlist.rendered()) == """
                #EXTM3U
                #EXT-X-VERSION:4
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a"
                #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Say 'hi'",AUTOSELECT=YES,URI="b"
                #EXT-X-STREAM-INF:BANDWIDTH=10,CODECS="a,b",AUDIO="audio"
                v

                """)
        #expect(playlist.pieces.map(\.uri) == ["a", "b", "v"])
    }
}

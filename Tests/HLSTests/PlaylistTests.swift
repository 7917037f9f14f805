import Media
import NIOCore
import Testing

@testable import HLS

@Suite struct PlaylistTests {
    private let map = InitializationFile(name: "init_7.mp4", bytes: ByteBuffer(string: "x"))

    @Test("A media playlist lists transport stream segments")
    func listsTransportStreamSegments() {
        let playlist = MediaPlaylist(
            targetDuration: 2,
            segments: [SyntheticStream.segment(7), SyntheticStream.segment(8, milliseconds: 1_960, date: 2_000)],
            isEnded: false)
        #expect(
            String(buffer: playlist.rendered()) == """
                #EXTM3U
                #EXT-X-VERSION:3
                #EXT-X-TARGETDURATION:2
                #EXT-X-MEDIA-SEQUENCE:7
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z
                #EXTINF:2.000000,
                media_7.ts
                #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:02.000Z
                #EXTINF:1.960000,
                media_8.ts

                """)
    }

    @Test("A media playlist names the initialization file where it changes")
    func namesTheInitializationFileWhereItChanges() {
        let other = InitializationFile(name: "init_9.mp4", bytes: ByteBuffer(string: "y"))
        let playlist = MediaPlaylist(
            targetDuration: 2,
            segments: [
                SyntheticStream.segment(7, discontinuitySequence: 4, initialization: map),
                SyntheticStream.segment(8, keyframe: false, date: 2_000, initialization: map),
                SyntheticStream.segment(9, discontinuity: true, date: 9_000, initialization: other),
            ], isEnded: true)
        #expect(
            String(buffer: playlist.rendered()) == """
                #EXTM3U
                #EXT-X-VERSION:7
                #EXT-X-TARGETDURATION:2
                #EXT-X-MEDIA-SEQUENCE:7
                #EXT-X-DISCONTINUITY-SEQUENCE:4
                #EXT-X-MAP:URI="init_7.mp4"
                #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z
                #EXTINF:2.000000,
                media_7.m4s
                #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:02.000Z
                #EXTINF:2.000000,
                media_8.m4s
                #EXT-X-DISCONTINUITY
                #EXT-X-MAP:URI="init_9.mp4"
                #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:09.000Z
                #EXTINF:2.000000,
                media_9.m4s
                #EXT-X-ENDLIST

                """)
    }

    @Test("A master playlist tells what a variant is")
    func aMasterPlaylistTellsWhatAVariantIs() {
        let playlist = MasterPlaylist(
            renditions: [
                Rendition(
                    uri: "sess_1/chunklist.m3u8?key=a&pass=b", peakBandwidth: 2_400_000, averageBandwidth: 2_000_000,
                    codecs: ["avc1.64001f", "mp4a.40.2"], resolution: Resolution(width: 1_280, height: 720),
                    frameRate: 30_000 / 1_001.0),
                Rendition(uri: "audio\n.m3u8", peakBandwidth: 0, codecs: ["mp4a.40.2", ""]),
            ], hasIndependentSegments: true)
        #expect(
            String(buffer: playlist.rendered()) == """
                #EXTM3U
                #EXT-X-VERSION:3
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-STREAM-INF:BANDWIDTH=2400000,AVERAGE-BANDWIDTH=2000000,CODECS="avc1.64001f,mp4a.40.2",\
                RESOLUTION=1280x720,FRAME-RATE=29.970
                sess_1/chunklist.m3u8?key=a&pass=b
                #EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"
                audio%0A.m3u8

                """)
    }

    @Test("The peak bit rate is that of the worst run of about a target duration")
    func thePeakIsTheWorstRunOfAboutATargetDuration() {
        let segments = [
            SyntheticStream.segment(0, bytes: 1_000),
            // Too short to be a run of its own: with its neighbour it is 3,000 bytes in 2.5 s.
            SyntheticStream.segment(1, milliseconds: 500, bytes: 2_000),
            SyntheticStream.segment(2, bytes: 1_000),
        ]
        #expect(BandwidthMeter.peak(of: segments, targetDuration: 2) == 9_600)
        #expect(BandwidthMeter.average(of: segments) == 7_112)
        #expect(BandwidthMeter.peak(of: [segments[1]], targetDuration: 2) == 32_000)
    }

    @Test(
        "The frame rate is a customary one where it is near one",
        arguments: [
            (50, 1_960, 25.0), (60, 1_969, 30_000 / 1_001.0), (60, 1_967, 30), (120, 1_985, 60_000 / 1_001.0),
            (36, 2_000, 17.5), (1, 0, nil), (0, 0, nil),
        ]) func theFrameRateIsACustomaryOneWhereItIsNearOne(_ frames: Int, _ span: Int64, _ rate: Double?)
    {
        let segment = SyntheticStream.segment(0, videoFrames: frames, videoSpan: span)
        #expect(BandwidthMeter.frameRate(of: [segment]) == rate)
    }
}

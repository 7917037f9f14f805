import Media
import NIOCore
import Testing

@testable import HLS

@Suite struct PlaylistTests {
    private let map = InitializationFile(name: .initialization(7), bytes: ByteBuffer(string: "x"))

    private func text(
        _ segments: [Segment], retained: [Segment] = [], open: PlaylistSnapshot.OpenSegment? = nil,
        isEnded: Bool = false,
        _ form: PlaylistForm = .fragmentedMP4
    ) -> String {
        String(
            buffer: PlaylistSnapshot(listed: segments, retained: retained, open: open, isEnded: isEnded)
                .mediaPlaylist(form))
    }

    @Test("A media playlist for old players lists transport stream segments, and nothing that they do not know")
    func listsTransportStreamSegments() {
        let open = PlaylistSnapshot.OpenSegment(
            sequence: 9, life: 0, nextPart: 1, isDiscontinuity: false, initialization: map, programDateTime: 4_000,
            parts: [SyntheticStream.part(0)])
        let segments = [SyntheticStream.segment(7), SyntheticStream.segment(8, milliseconds: 1_960, date: 2_000)]
        #expect(
            text(segments, open: open, .transportStream) == """
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
        let other = InitializationFile(name: .initialization(9), bytes: ByteBuffer(string: "y"))
        let segments = [
            SyntheticStream.segment(7, discontinuitySequence: 4, initialization: map),
            SyntheticStream.segment(8, keyframe: false, date: 2_000, initialization: map),
            SyntheticStream.segment(9, discontinuity: true, date: 9_000, initialization: other),
        ]
        #expect(
            text(segments, isEnded: true) == """
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

    @Test("Parts stand behind the last segments, and the part that comes next is named")
    func listsParts() {
        let other = InitializationFile(name: .initialization(8), bytes: ByteBuffer(string: "y"))
        let parts = [
            SyntheticStream.part(3, milliseconds: 1_000, independent: true),
            SyntheticStream.part(4, milliseconds: 1_000),
        ]
        let segments = [
            SyntheticStream.segment(
                7, initialization: map,
                parts: parts.map { part in
                    Part(
                        name: part.name, duration: MediaTime(milliseconds: 200), isIndependent: part.isIndependent,
                        bytes: part.bytes, videoLength: 0, entityTag: "")
                })
        ]
        let open = PlaylistSnapshot.OpenSegment(
            sequence: 8, life: 0, nextPart: 6, isDiscontinuity: true, initialization: other, programDateTime: 2_000,
            parts: [SyntheticStream.part(5, milliseconds: 167, independent: true)])
        #expect(
            text(segments, open: open) == """
                #EXTM3U
                #EXT-X-VERSION:9
                #EXT-X-TARGETDURATION:2
                #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,PART-HOLD-BACK=0.612000
                #EXT-X-PART-INF:PART-TARGET=0.204000
                #EXT-X-MEDIA-SEQUENCE:7
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-MAP:URI="init_7.mp4"
                #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z
                #EXT-X-PART:DURATION=0.200000,URI="part_0_3.m4s",INDEPENDENT=YES
                #EXT-X-PART:DURATION=0.200000,URI="part_0_4.m4s"
                #EXTINF:2.000000,
                media_7.m4s
                #EXT-X-DISCONTINUITY
                #EXT-X-MAP:URI="init_8.mp4"
                #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:02.000Z
                #EXT-X-PART:DURATION=0.167000,URI="part_0_5.m4s",INDEPENDENT=YES
                #EXT-X-PRELOAD-HINT:TYPE=PART,URI="part_0_6.m4s"

                """)
    }

    @Test(
        "Parts are listed of the last three target durations only, and not of a segment that has one longer than the target"
    )
    func listsPartsOfTheEnd() {
        var segments = (0..<8).map { SyntheticStream.segment($0, parts: [SyntheticStream.part($0)]) }
        segments.append(SyntheticStream.segment(8, parts: [SyntheticStream.part(8, milliseconds: 205)]))
        let open = PlaylistSnapshot.OpenSegment(
            sequence: 9, life: 0, nextPart: 9, isDiscontinuity: false, initialization: nil, programDateTime: 0,
            parts: [])
        let named = text(segments, open: open).split(separator: "\n").filter { $0.hasPrefix("#EXT-X-PART:") }
        #expect(named.map { $0.suffix(14) } == ["\"part_0_6.m4s\"", "\"part_0_7.m4s\""])
    }

    @Test(
        "A delta leaves out what is farther from the end than six target durations, and is the whole playlist before there is any"
    )
    func skips() {
        let open = PlaylistSnapshot.OpenSegment(
            sequence: 20, life: 0, nextPart: 9, isDiscontinuity: false, initialization: nil, programDateTime: 0,
            parts: [])
        let few = (0..<6).map { SyntheticStream.segment($0) }
        #expect(text(few, open: open, .delta) == text(few, open: open))
        let many = (0..<20).map { SyntheticStream.segment($0, date: $0 * 2_000) }
        let delta = text(many, open: open, .delta).split(separator: "\n")
        #expect(delta.filter { $0.hasPrefix("#EXT-X-SKIP") } == ["#EXT-X-SKIP:SKIPPED-SEGMENTS=13"])
        #expect(delta.contains("#EXT-X-MEDIA-SEQUENCE:0"))
        #expect(delta.filter { $0.hasPrefix("media_") }.map(String.init) == (13..<20).map { "media_\($0).m4s" })
        // The map is the one that the player has.
        #expect(!delta.contains { $0.hasPrefix("#EXT-X-MAP") })
        // What is left out is just what stands in the whole one and not in this.
        let whole = text(many, open: open).split(separator: "\n")
        #expect(whole.filter { !delta.contains($0) }.count == 13 * 2 + 1)
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

    @Test(
        "A master playlist tells the range of colors and whether there are captions",
        arguments: [
            (nil, .unknown, "", ""), (.sdr, .none, "", ",VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE"),
            (.hlg, .unknown, "", ",VIDEO-RANGE=HLG"),
            (
                .pq, .channels(["CC1", "CC3"]),
                """
                #EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",INSTREAM-ID="CC1",AUTOSELECT=YES
                #EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC3",INSTREAM-ID="CC3",AUTOSELECT=YES

                """, ",VIDEO-RANGE=PQ,CLOSED-CAPTIONS=\"cc\""
            ),
        ] as [(VideoColor.Range?, Captions, String, String)])
    func aMasterPlaylistTellsColorsAndCaptions(
        range: VideoColor.Range?, captions: Captions, media: String, attributes: String
    ) {
        let playlist = MasterPlaylist(
            renditions: [
                Rendition(
                    uri: "a.m3u8", peakBandwidth: 1, codecs: [], resolution: Resolution(width: 2, height: 2),
                    videoRange: range, captions: captions)
            ], hasIndependentSegments: false)
        #expect(
            String(buffer: playlist.rendered())
                == "#EXTM3U\n#EXT-X-VERSION:3\n\(media)#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2\(attributes)\na.m3u8\n"
        )
    }

    @Test(
        "That there are no captions is said of all variants or of none",
        arguments: [
            ([.none, .none], ["NONE", "NONE", "NONE"]), ([.none, .unknown], [nil, nil, nil]),
            ([.none, .channels(["CC1"])], [nil, "\"cc\"", nil]),
            ([.channels(["CC1"]), .channels(["CC3"])], ["\"cc\"", "\"cc\"", nil]),
        ] as [([Captions], [String?])])
    func captionsOfSeveralVariants(captions: [Captions], expected: [String?]) {
        let video = captions.map {
            Rendition(
                uri: "v", peakBandwidth: 1, codecs: [], resolution: Resolution(width: 2, height: 2), captions: $0)
        }
        let playlist = MasterPlaylist(
            renditions: video + [Rendition(uri: "a", peakBandwidth: 1, codecs: [])], hasIndependentSegments: false)
        let text = String(buffer: playlist.rendered())
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("#EXT-X-STREAM-INF") }
        #expect(
            lines.map { $0.firstMatch(of: /CLOSED-CAPTIONS=(.*)/).map { String($0.1) } } == expected)
        let channels = captions.reduce(into: Set<String>()) { all, one in
            if case .channels(let names) = one { all.formUnion(names) }
        }
        #expect(text.split(separator: "\n").count { $0.contains("TYPE=CLOSED-CAPTIONS") } == channels.count)
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

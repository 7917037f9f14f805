import NIOCore
import Testing

@testable import Load

/// MPDs as a DASH viewer reads them.
@Suite struct PresentationReaderTests {
    /// 12 s after the period began.
    private static let now: Int64 = 1_012_000_000

    private static func text(
        _ type: String = "dynamic", media: String = "v_$RepresentationID$_$Number$.m4s", more: String = "",
        start: String = "PT16M40S"
    ) -> ByteBuffer {
        ByteBuffer(
            string: """
                <?xml version="1.0"?>
                <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="\(type)" availabilityStartTime="1970-01-01T00:00:00Z"
                 minimumUpdatePeriod="PT1.5S" suggestedPresentationDelay="PT6S" maxSegmentDuration="PT2.1S">
                <BaseURL> sess_1/ </BaseURL><Location>sess_1/manifest.mpd</Location>
                <Period id="1" start="\(start)">
                <AdaptationSet contentType="text"><Representation id="t"/></AdaptationSet>
                <AdaptationSet contentType="audio" mimeType="audio/mp4"><BaseURL>/other/</BaseURL>
                <SegmentTemplate timescale="48000" presentationTimeOffset="96000" initialization="a.mp4" media="a_$Number$.m4s"
                 startNumber="7"><SegmentTimeline><S t="96000" d="96000" r="1"/></SegmentTimeline></SegmentTemplate>
                <Representation id="audio" bandwidth="64000"/></AdaptationSet>
                <AdaptationSet mimeType="video/mp4"><SegmentTemplate timescale="1000" initialization="i_$RepresentationID$.mp4"
                 media="\(media)" startNumber="7" availabilityTimeOffset="1.8" availabilityTimeComplete="false">
                <SegmentTimeline><S t="8000" d="2000"/><S d="2000"/><S d="1500"/></SegmentTimeline></SegmentTemplate>
                <Representation id="hd" bandwidth="900000"/><Representation id="sd" bandwidth="90000"/></AdaptationSet>
                <AdaptationSet mimeType="video/mp4"><Representation id="camera 2"/></AdaptationSet>
                </Period>\(more)</MPD>
                """)
    }

    private func read(_ text: ByteBuffer, wantsLowLatency: Bool = false) throws -> ([ClientPlaylist], String?) {
        let reader = PresentationReader(now: Self.now, wantsLowLatency: wantsLowLatency)
        guard case .presentation(let tracks, let location) = try reader.read(text) else { return ([], nil) }
        return (tracks, location)
    }

    @Test("The first video and the first audio are playlists, of what is whole now")
    func tracks() throws {
        let (tracks, location) = try read(Self.text())
        #expect(location == "sess_1/manifest.mpd")
        try #require(tracks.count == 2)
        #expect(tracks[0].segments.map(\.uri) == ["sess_1/v_hd_7.m4s", "sess_1/v_hd_8.m4s"])
        #expect(tracks[0].segments.map(\.map) == ["sess_1/i_hd.mp4", "sess_1/i_hd.mp4"])
        #expect(tracks[0].segments.map(\.duration) == [2_000_000, 2_000_000])
        #expect(tracks[0].segments.map(\.date) == [1_008_000_000, 1_010_000_000])
        #expect(tracks[1].segments.map(\.uri) == ["/other/a_7.m4s", "/other/a_8.m4s"])
        #expect(tracks[1].segments.map(\.date) == [1_000_000_000, 1_002_000_000])
        for track in tracks {
            #expect(track.mediaSequence == 7 && track.targetDuration == 3 && track.reloadPeriod == 1_500_000)
            #expect(track.serverControl?.holdBack == 6_000_000 && !track.isEnded)
        }
    }

    @Test("Who plays at low latency takes the segment that is being written, too")
    func lowLatency() throws {
        let (tracks, _) = try read(Self.text(), wantsLowLatency: true)
        #expect(tracks.first?.segments.map(\.sequence) == [7, 8, 9])
    }

    @Test("A presentation that is over has all its segments, whatever the time is")
    func over() throws {
        let (tracks, _) = try read(Self.text("static", start: "PT0S"))
        #expect(tracks.map(\.isEnded) == [true, true])
        #expect(tracks.first?.segments.map(\.sequence) == [7, 8, 9])
    }

    @Test("Periods are one playlist with a discontinuity, whose numbers go on")
    func periods() throws {
        func more(_ number: Int) -> String {
            """
            <Period start="PT16M50.5S"><AdaptationSet contentType="audio"><SegmentTemplate initialization="b.mp4" media="b_$Number$.m4s"
             startNumber="\(number)"><SegmentTimeline><S t="0" d="1"/></SegmentTimeline></SegmentTemplate><Representation id="b"/>
            </AdaptationSet></Period>
            """
        }
        let (tracks, _) = try read(Self.text(more: more(9)))
        #expect(tracks.last?.segments.map(\.sequence) == [7, 8, 9])
        #expect(tracks.last?.segments.map(\.isDiscontinuity) == [false, false, true])
        #expect(tracks.last?.segments.last?.date == 1_010_500_000)
        #expect(tracks.last?.segments.last?.map == "sess_1/b.mp4")
        #expect(throws: ClientPlaylist.Malformed.self) { try read(Self.text(more: more(8))) }
    }

    @Test("What is no MPD, or one of another kind, is refused with a sentence")
    func refused() {
        let texts = [
            "", "<html></html>", "<MPD", "<MPD type=\"static\"></MPD>", String(repeating: "<MPD>", count: 10_000),
            String(buffer: Self.text(media: "v_$Time$.m4s")),
            String(buffer: Self.text(start: "P1Y")), String(buffer: Self.text(start: "PT999999999H")),
            String(buffer: Self.text()).replacing("d=\"96000\"", with: "d=\"-1\""),
            String(buffer: Self.text()).replacing("timescale=\"48000\"", with: "timescale=\"0\""),
            String(buffer: Self.text()).replacing("timescale=\"48000\"", with: "timescale=\"9223372036854775807\""),
            String(buffer: Self.text()).replacing("r=\"1\"", with: "r=\"999999999999\""),
            String(buffer: Self.text()).replacing("d=\"96000\" r=\"1\"", with: "d=\"1152921504606846975\" r=\"99999\"")
                .replacing("timescale=\"48000\"", with: "timescale=\"1099511627775\""),
            String(buffer: Self.text()).replacing("startNumber=\"7\"", with: "startNumber=\"1152921504606846975\""),
        ]
        for text in texts {
            #expect(throws: ClientPlaylist.Malformed.self, "\(text.prefix(300))") {
                try read(ByteBuffer(string: text))
            }
        }
    }
}

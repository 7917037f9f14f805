import Load
import NIOCore
import TestSupport
import Testing

@testable import Load

@Suite struct PlaylistReaderTests {
    @Test("Everything that a player of low-latency HLS needs is read")
    func everythingIsRead() throws {
        let document = try ClientDocument(SyntheticServer().text(42, isEnded: false))
        guard case .media(let playlist) = document else { throw LoadProblem("no media playlist") }
        #expect(playlist.version == 9 && playlist.targetDuration == 2 && playlist.partTarget == 500_000)
        #expect(
            playlist.serverControl
                == ClientPlaylist.ServerControl(
                    canBlockReload: true, holdBack: 6_000_000, partHoldBack: 1_500_000, canSkipUntil: 12_000_000))
        #expect(playlist.mediaSequence == 2 && playlist.discontinuitySequence == 7 && playlist.hasIndependentSegments)
        #expect(playlist.segments.map(\.sequence) == Array(2...10))
        #expect(playlist.segments.allSatisfy { $0.map == "init_0.mp4" && $0.discontinuity == 7 })
        #expect(playlist.edge == ClientPlaylist.Edge(sequence: 10, part: 1))
        #expect(playlist.hintedParts == ["part_42.m4s"] && playlist.hintedMaps == [])
        #expect(playlist.reports == [.init(uri: "other.m3u8", lastSequence: 10, lastPart: 1)])
        let whole = playlist.segments[7]
        #expect(whole.uri == "media_9.m4s" && whole.duration == 2_000_000 && !whole.isOpen)
        #expect(whole.parts.map(\.uri) == (36..<40).map { "part_\($0).m4s" })
        #expect(whole.parts.map(\.isIndependent) == [true, false, false, false])
        #expect(whole.date == 1_769_860_818_000_000)
        #expect(playlist.segments[8].isOpen && playlist.segments[8].length == 1_000_000)
        #expect(playlist.duration(from: 7) == 3_000_000)
    }

    @Test("A delta begins behind what it leaves out, and a master playlist gives its variants")
    func deltasAndMasters() throws {
        let delta = try ClientDocument(SyntheticServer().text(42, isEnded: false, skips: true))
        guard case .media(let playlist) = delta else { throw LoadProblem("no media playlist") }
        #expect(playlist.skipped == 3 && playlist.segments.first?.sequence == 5 && playlist.segments.first?.map == nil)
        let master = """
            #EXTM3U
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x, y",URI="audio.m3u8"
            #EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="avc1.42c01e,mp4a.40.2"

            a/one.m3u8
            # a remark
            #EXT-X-STREAM-INF:BANDWIDTH=2000
            two.m3u8?x=1

            """
        #expect(try ClientDocument(ByteBuffer(string: master)) == .master(["a/one.m3u8", "two.m3u8?x=1"]))
    }

    @Test(
        "What no playlist may say is refused with its line",
        arguments: [
            "", "hello", "#EXTM3U\n", "#EXTM3U\n#EXT-X-TARGETDURATION:2\nno-length.ts\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:-2\n", "#EXTM3U\n#EXT-X-TARGETDURATION:99999999999999999999\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.5.2,\na.ts\n", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\na.ts\n#EXT-X-MEDIA-SEQUENCE:1\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART:DURATION=1\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART:DURATION=1,URI=\"a\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART:DURATION=1,DURATION=1,URI=\"a\"\n",
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:tomorrow\n",
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"x\"\na.m3u8\n",
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n#EXT-X-TARGETDURATION:2\n",
        ])
    func refused(_ text: String) {
        #expect(throws: ClientPlaylist.Malformed.self) { try ClientDocument(ByteBuffer(string: text)) }
    }

    @Test("No text brings a player down")
    func noTextBringsAPlayerDown() {
        var random = SeededGenerator(seed: 8)
        let base = Array(SyntheticServer().text(42, isEnded: false, skips: true).readableBytesView)
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        for _ in 0..<2_000 {
            var bytes = base
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 48...57, using: &random)
                case 2: bytes.remove(at: Int.random(in: bytes.indices, using: &random))
                default: bytes.insert(UInt8(ascii: "9"), at: Int.random(in: bytes.indices, using: &random))
                }
            }
            guard case .media(let playlist)? = try? ClientDocument(ByteBuffer(bytes: bytes)) else { continue }
            var player = HLSPlayer(wantsLowLatency: true, now: start)
            for second in 0..<3 {
                let now = start + .seconds(Int64(second))
                _ = player.nextReload(now: now)
                player.received(playlist, now: now)
                for _ in 0..<20 where player.nextItem(now: now) != nil { player.fetched(now: now) }
                player.look(now)
            }
        }
    }

    @Test("References lead to where a player would go")
    func references() throws {
        let address = try #require(HTTPAddress("http://[::1]:8080/a/b/playlist.m3u8?key=1/2"))
        #expect(address.host == "::1" && address.port == 8_080 && address.authority == "[::1]:8080")
        #expect(address.path(of: "c.ts") == "/a/b/c.ts")
        #expect(address.path(of: "/c.ts?x") == "/c.ts?x")
        #expect(address.path(of: "http://[::1]:8080/d") == "/d")
        #expect(address.path(of: "http://other/d") == nil && address.path(of: "//other/d") == nil)
        #expect(address.path(of: "a b") == nil)
        #expect(address.adding(query: "_HLS_msn=1").path == "/a/b/playlist.m3u8?key=1/2&_HLS_msn=1")
        #expect(HTTPAddress("http://example.com")?.path == "/")
        #expect(HTTPAddress("https://example.com")?.authority == "example.com")
        for text in ["ftp://a/", "http://", "http://a:99999/", "http://a/\r\nX", "http://u:p@a/", "a/b"] {
            #expect(HTTPAddress(text) == nil, "\(text)")
        }
    }
}

import FragmentedMP4
import Media
import NIOCore
import Testing

@testable import HLS

@Suite("Timed metadata and captions in segments") struct TimedMetadataTests {
    private func told(_ text: String) -> TimedMetadata {
        TimedMetadata(name: "onTextData", json: "{\"text\":\"\(text)\"}")
    }

    private func segmenter() throws -> Segmenter {
        var segmenter = Segmenter()
        try segmenter.setTracks(try SyntheticStream.tracks())
        return segmenter
    }

    /// The names of the boxes, and of each event its time in milliseconds, its number and its text.
    private func boxes(_ bytes: ByteBuffer) throws -> [String] {
        var bytes = bytes
        var found: [String] = []
        while let size = bytes.readInteger(as: UInt32.self), let name = bytes.readString(length: 4) {
            let slice = bytes.readSlice(length: Int(size) - 8)
            var content = try #require(slice)
            guard name == "emsg" else {
                found.append(name)
                continue
            }
            let head = content.readMultipleIntegers(as: (UInt32, UInt32, UInt64, UInt32, UInt32).self)
            let (_, timescale, time, _, number) = try #require(head)
            let text = String(buffer: content).split(separator: "\0").last ?? ""
            found.append("\(time * 1_000 / UInt64(timescale)) #\(number) \(text)")
        }
        return found
    }

    @Test("What an encoder tells stands in front of the part that it comes in, at its time")
    func inFrontOfItsPart() throws {
        var segmenter = try segmenter()
        _ = segmenter.append(SyntheticStream.both(0..<2_000))
        _ = segmenter.append(SyntheticStream.both(2_000..<2_080))
        segmenter.append(told("a"), at: MediaTime(milliseconds: 2_070))
        segmenter.append(told("b"), at: MediaTime(milliseconds: 2_075))
        _ = segmenter.append(SyntheticStream.both(2_080..<2_200, gop: 4_000))
        let part = try #require(segmenter.openSegment?.parts.first)
        let fragments = ["moof", "mdat", "moof", "mdat"]
        #expect(
            try boxes(part.bytes) == [#"2070 #0 {"text":"a"}"#, #"2075 #1 {"text":"b"}"#] + fragments)
        // It is told once, and numbers go on.
        segmenter.append(told("c"), at: MediaTime(milliseconds: 2_300))
        _ = segmenter.append(SyntheticStream.both(2_200..<2_600, gop: 4_000))
        let later = try #require(segmenter.openSegment?.parts.dropFirst().map(\.bytes))
        #expect(try later.map(boxes) == [[#"2300 #2 {"text":"c"}"#] + fragments, fragments])
    }

    @Test("What came before a segment could begin is told at its start")
    func beforeTheFirstSegment() throws {
        var segmenter = try segmenter()
        segmenter.append(told("a"), at: MediaTime(milliseconds: 500))
        #expect(segmenter.nextPart == 0)
        _ = segmenter.append(SyntheticStream.both(1_000..<1_400))
        #expect(try boxes(try #require(segmenter.openSegment?.parts.first).bytes).first == #"1000 #0 {"text":"a"}"#)
    }

    @Test("Negative times are counted from the stream's start, like the frames'")
    func negativeTimes() throws {
        var segmenter = try segmenter()
        _ = segmenter.append(SyntheticStream.both(-5_000..<(-4_960)))
        segmenter.append(told("a"), at: MediaTime(milliseconds: -4_950))
        _ = segmenter.append(SyntheticStream.both(-4_960..<(-4_600), gop: 4_000))
        #expect(try boxes(try #require(segmenter.openSegment?.parts.first).bytes).first == #"50 #0 {"text":"a"}"#)
    }

    @Test("The frames behind it are still found: MPEG-TS made of the segment has every one")
    func framesAreFound() throws {
        var segmenter = try segmenter()
        let units = SyntheticStream.both(0..<4_001)
        var segments: [Segment] = []
        for unit in units {
            if unit.decodeTime.milliseconds % 100 == 0 { segmenter.append(told("x"), at: unit.decodeTime) }
            if let segment = segmenter.append(unit, now: 0) { segments.append(segment) }
        }
        #expect(segments.count == 2)
        for segment in segments {
            #expect(try boxes(segment.bytes).contains { $0.contains("text") })
            let found = segment.accessUnits
            #expect(found.count > 100)
            for unit in found {
                #expect(units.contains { $0.decodeTime == unit.decodeTime && $0.payload == unit.payload })
            }
        }
    }

    @Test("Too much at once is left out and counted, and so is what nothing follows")
    func bounds() throws {
        var segmenter = try segmenter()
        _ = segmenter.append(SyntheticStream.both(0..<40))
        let before = segmenter.openCapacity
        for _ in 0..<70 { segmenter.append(told("x"), at: .zero) }
        #expect(segmenter.discardedMetadata == 6)
        #expect(segmenter.openCapacity == before + 64 * (10 + 12))
        _ = segmenter.append(SyntheticStream.both(40..<400, gop: 4_000))
        let large = String(repeating: "x", count: 16 << 10)
        for _ in 0..<4 { segmenter.append(told(large), at: .zero) }
        #expect(segmenter.discardedMetadata == 7)
        // No part is made of metadata alone.
        _ = segmenter.discontinuity()
        segmenter.append(told("y"), at: .zero)
        #expect(segmenter.end() == nil)
        #expect(segmenter.discardedMetadata == 8)
        segmenter.append(told("z"), at: .zero)
        #expect(segmenter.discardedMetadata == 9)
    }

    // MARK: Captions

    /// An access unit with captions in channel CC1.
    private func captioned(_ unit: AccessUnit) -> AccessUnit {
        var unit = unit
        let message: [UInt8] = [
            0x06, 0x04, 14, 0xB5, 0, 0x31, 0x47, 0x41, 0x39, 0x34, 3, 0x41, 0xFF, 0xFC, 0x14, 0x2C, 0xFF, 0x80,
        ]
        var payload = ByteBuffer(integer: UInt32(message.count))
        payload.writeBytes(message)
        payload.writeImmutableBuffer(unit.payload)
        unit.payload = payload
        return unit
    }

    @Test("A segment knows of the captions that were seen up to its end, and the master playlist says so")
    func captions() throws {
        var segmenter = try segmenter()
        var window = SegmentWindow(configuration: SegmenterConfiguration())
        func master() throws -> String {
            let snapshot = try #require(window.snapshot())
            return String(
                buffer: MasterPlaylist(renditions: [snapshot.rendition(uri: "x")], hasIndependentSegments: true)
                    .rendered())
        }
        for segment in segmenter.append(SyntheticStream.pictures(0..<8_040)) { window.append(segment) }
        #expect(window.listed.map(\.captions) == [.unknown, .unknown, .unknown, .unknown])
        #expect(try !master().contains("CLOSED-CAPTIONS"))
        for segment in segmenter.append(SyntheticStream.pictures(8_040..<12_080, gop: 1_960)) { window.append(segment) }
        #expect(window.listed.last?.captions == Captions.none)
        #expect(try master().contains(",CLOSED-CAPTIONS=NONE\n"))
        let later = SyntheticStream.pictures(12_080..<16_120, gop: 2_000).map(captioned)
        for segment in segmenter.append(later) { window.append(segment) }
        #expect(window.listed.last?.captions == .channels(["CC1"]))
        #expect(try master().contains(",CLOSED-CAPTIONS=\"cc\"\n"))
        #expect(try master().contains("INSTREAM-ID=\"CC1\""))
        // Another publisher may have none.
        _ = segmenter.discontinuity()
        let other = segmenter.append(SyntheticStream.pictures(20_000..<22_040))
        #expect(other.map(\.captions) == [.unknown])
    }

    @Test("Other colors begin with another initialization section, and the playlist says what is playing")
    func colors() throws {
        var segmenter = try segmenter()
        var tracks = try SyntheticStream.tracks()
        _ = segmenter.append(SyntheticStream.both(0..<1_960))
        tracks.video?.color = VideoColor(primaries: 9, transfer: 16, matrix: 9)
        try segmenter.setTracks(tracks)
        let segments = segmenter.append(SyntheticStream.both(2_000..<4_040))
        #expect(segments.count == 2)
        #expect(segments.map(\.isDiscontinuity) == [false, true])
        #expect(segments.map { $0.initialization.name } == [.initialization(0), .initialization(1)])
        #expect(segments.map { $0.tracks.video?.color.range } == [nil, .pq])
        let file = segments[1].initialization.bytes
        #expect(file.readableBytesView.firstRange(of: Array("colrnclx".utf8)) != nil)
        var window = SegmentWindow(configuration: SegmenterConfiguration())
        for segment in segments { window.append(segment) }
        #expect(window.snapshot()?.rendition(uri: "x").videoRange == .pq)
    }

    @Test("AC-3 is given in MPEG-TS, FLAC is not")
    func transportStream() throws {
        let frame = ByteBuffer(bytes: [0x0B, 0x77, 0x38, 0x90, 0x0C, 0x40, 0x43, 0xE1])
        let ac3 = TrackSet(audio: .ac3(try AC3Configuration(frame: frame)))
        #expect(TransportStreamRendition.canCarry(ac3))
        var info = ByteBuffer(bytes: [0x12, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 0x0B, 0xB8, 0x02, 0xF0])
        info.writeRepeatingByte(0, count: 20)
        let flac = TrackSet(audio: .flac(try FLACConfiguration(record: info)))
        #expect(!TransportStreamRendition.canCarry(flac))
    }
}

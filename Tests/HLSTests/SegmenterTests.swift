import Media
import NIOCore
import Testing

@testable import HLS

@Suite struct SegmenterTests {
    private func segmenter(
        _ configuration: SegmenterConfiguration = SegmenterConfiguration(), video: Bool = true, audio: Bool = true
    ) throws -> Segmenter {
        let tracks = try SyntheticStream.tracks()
        var segmenter = Segmenter(configuration: configuration)
        try segmenter.setTracks(
            TrackSet(video: video ? tracks.video : nil, audio: audio ? tracks.audio : nil))
        return segmenter
    }

    @Test func cutsAtTheFirstKeyframeAtOrAfterTheDuration() throws {
        var segmenter = try segmenter()
        let segments = segmenter.append(SyntheticStream.both(1_000..<8_000, gop: 1_200))
        #expect(segments.map(\.summary) == ["0:2400", "1:2400"])
        #expect(segments.map(\.name) == ["media_0.ts", "media_1.ts"])
        #expect(segments.map(\.firstTime.milliseconds) == [1_000, 3_400])
        #expect(segments.map(\.programDateTime) == [1_700_000_001_000, 1_700_000_003_400])
        #expect(segments.map(\.pictures) == [60, 60])
        #expect(segmenter.discardedUnits == 0)
    }

    @Test func measuresDurationsByDecodeTimeWhateverTheComposition() throws {
        var segmenter = try segmenter(audio: false)
        let units = SyntheticStream.pictures(0..<4_400).map { unit in
            var unit = unit
            unit.compositionOffset = MediaTime(milliseconds: unit.decodeTime.milliseconds % 120 == 0 ? 120 : -40)
            return unit
        }
        #expect(segmenter.append(units).map(\.summary) == ["0:2000", "1:2000"])
        #expect(segmenter.end()?.summary == "2:400")
    }

    @Test func cutsSoundAloneByTime() throws {
        var segmenter = try segmenter(video: false)
        #expect(segmenter.append(SyntheticStream.sound(0..<5_000)).map(\.summary) == ["0:2000", "1:2000"])
        #expect(segmenter.end()?.summary == "2:1000")
        #expect(segmenter.discardedUnits == 0)
    }

    @Test func letsAGOPLongerThanTheDurationThrough() throws {
        var segmenter = try segmenter()
        let segments = segmenter.append(SyntheticStream.both(0..<21_000, gop: 10_000))
        #expect(segments.map(\.summary) == ["0:10000", "1:10000"])
    }

    @Test func cutsWithoutAKeyframeWhenNoneComes() throws {
        var segmenter = try segmenter()
        let segments = segmenter.append(SyntheticStream.both(0..<61_000, gop: 1_000_000))
        #expect(segments.map(\.summary) == ["0:30000", "1:30000~"])
        #expect(segmenter.discardedUnits == 0)
    }

    @Test func cutsWithoutAKeyframeAtTheByteLimit() throws {
        var segmenter = try segmenter(SegmenterConfiguration(maximumSegmentBytes: 64 << 10), audio: false)
        let units = (0..<10).map { SyntheticStream.video($0 * 40, key: $0 == 0, size: 20_000) }
        let segments = segmenter.append(units)
        #expect(segments.map(\.summary) == ["0:120", "1:120~", "2:120~"])
        #expect(segments.allSatisfy { $0.bytes.readableBytes <= 64 << 10 })
    }

    @Test func refusesAnAccessUnitOverTheByteLimit() throws {
        var segmenter = try segmenter(SegmenterConfiguration(maximumSegmentBytes: 64 << 10))
        #expect(segmenter.append([SyntheticStream.video(0, key: true, size: 70_000)]).isEmpty)
        #expect(segmenter.discardedUnits == 1)
        #expect(segmenter.end() == nil)
    }

    @Test func waitsForAKeyframeAndLeavesOutWhatComesBefore() throws {
        var segmenter = try segmenter()
        _ = segmenter.append([SyntheticStream.audio(0), SyntheticStream.video(20), SyntheticStream.audio(20)])
        #expect(segmenter.discardedUnits == 3)
        #expect(segmenter.append(SyntheticStream.both(40..<2_100)).map(\.summary) == ["0:2000"])
        #expect(segmenter.discardedUnits == 3)
    }

    @Test func packagesSoundAloneWhenAnnouncedPicturesStayAway() throws {
        var segmenter = try segmenter()
        let alone = segmenter.append(SyntheticStream.sound(0..<9_100))
        #expect(alone.map(\.summary) == ["0:2000", "1:2000"])
        #expect(alone.map { $0.tracks.video == nil } == [true, true])
        let joined = segmenter.append(SyntheticStream.both(9_100..<11_200))
        #expect(joined.map(\.summary) == ["2:100", "3:2000!"])
        #expect(joined.map { $0.tracks.video == nil } == [true, false])
    }

    @Test func goesOnWithSoundWhilePicturesStayAway() throws {
        var segmenter = try segmenter()
        let units = SyntheticStream.both(0..<1_000) + SyntheticStream.sound(1_000..<13_000)
        #expect(segmenter.append(units).map(\.summary) == ["0:5960", "1:5000~"])
    }

    @Test(arguments: [3_600_000, -3_600_000]) func soundFarFromItsPicturesDoesNotStretchSegments(by far: Int64) throws {
        var segmenter = try segmenter()
        let units = SyntheticStream.both(0..<8_500).map { unit in
            var unit = unit
            if !unit.codec.isVideo { unit.decodeTime += MediaTime(milliseconds: far) }
            return unit
        }
        #expect(segmenter.append(units).map(\.summary) == ["0:2000", "1:2000", "2:2000", "3:2000"])
        #expect(segmenter.discardedUnits == 0)
        // Nor does sound that goes on alone, nor the end.
        let alone = SyntheticStream.sound(8_500 + far..<16_000 + far)
        #expect(segmenter.append(alone).map(\.summary) == ["4:5480"])
        #expect(segmenter.end()?.summary == "5:2540~")
    }

    @Test func leavesOutATrackNobodyAnnounced() throws {
        var segmenter = try segmenter(video: false)
        let segments = segmenter.append(SyntheticStream.both(0..<2_100))
        #expect(segments.map(\.summary) == ["0:2000"])
        #expect(segmenter.discardedUnits == 53)
    }

    @Test func startsWithoutAKeyframeWhenThereIsNeverOne() throws {
        var segmenter = try segmenter(audio: false)
        let units = (0..<900).map { SyntheticStream.video($0 * 40) }
        #expect(segmenter.append(units).isEmpty)
        #expect(segmenter.end()?.summary == "0:6000~")
    }

    @Test func abandonsASegmentWhoseKeyframeIsMalformed() throws {
        var segmenter = try segmenter(audio: false)
        var broken = SyntheticStream.video(0, key: true)
        broken.payload = ByteBuffer(bytes: [0, 0, 0xff, 0xff, 0x65])
        _ = segmenter.append([broken, SyntheticStream.video(40)])
        #expect(segmenter.discardedUnits == 2)
        #expect(segmenter.append(SyntheticStream.pictures(80..<2_100)).map(\.summary) == ["0:2000"])
    }

    @Test func takesNothingAfterItsEnd() throws {
        var segmenter = try segmenter()
        _ = segmenter.append(SyntheticStream.both(0..<500))
        #expect(segmenter.end()?.summary == "0:520")
        #expect(segmenter.end() == nil)
        #expect(segmenter.append(SyntheticStream.both(500..<5_000)).isEmpty)
        #expect(segmenter.discontinuity() == nil)
    }

    @Test func survivesTheEndsOfTime() throws {
        var segmenter = try segmenter()
        for time in [Int64.min, .max, 0, .max, .min + 1, -1] {
            var unit = SyntheticStream.video(0, key: true, offset: 0)
            unit.decodeTime = MediaTime(nanoseconds: time)
            unit.compositionOffset = MediaTime(nanoseconds: time)
            _ = segmenter.append(unit, now: time)
        }
        #expect(segmenter.end() != nil)
    }
}

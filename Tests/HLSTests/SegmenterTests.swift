import Media
import NIOCore
import Testing

@testable import HLS

@Suite struct SegmenterTests {
    private func segmenter(
        _ configuration: SegmenterConfiguration = SegmenterConfiguration(), video: Bool = true, audio: Bool = true
    ) throws -> Segmenter {
        let tracks = try SyntheticStream.tracks()
        var segmenter = Segmenter(configuration)
        try segmenter.setTracks(
            TrackSet(video: video ? tracks.video : nil, audio: audio ? tracks.audio : nil))
        return segmenter
    }

    @Test("Segments are cut at the first keyframe at or after the duration")
    func cutsAtTheFirstKeyframeAtOrAfterTheDuration() throws {
        var segmenter = try segmenter()
        let segments = segmenter.append(SyntheticStream.both(1_000..<8_000, gop: 1_200))
        #expect(segments.map(\.summary) == ["0:2400", "1:2400"])
        #expect(segments.map { $0.name(in: .fragmentedMP4).description } == ["media_0.m4s", "media_1.m4s"])
        #expect(segments.map(\.firstTime.milliseconds) == [1_000, 3_400])
        #expect(segments.map(\.programDateTime) == [1_700_000_001_000, 1_700_000_003_400])
        #expect(segments.map(\.videoFrames) == [60, 60])
        #expect(segmenter.discardedUnits == 0)
    }

    @Test("Durations are measured by decode time, whatever the composition offsets")
    func measuresDurationsByDecodeTimeWhateverTheComposition() throws {
        var segmenter = try segmenter(audio: false)
        let units = SyntheticStream.pictures(0..<4_400).map { unit in
            var unit = unit
            unit.compositionOffset = MediaTime(milliseconds: unit.decodeTime.milliseconds % 120 == 0 ? 120 : -40)
            return unit
        }
        #expect(segmenter.append(units).map(\.summary) == ["0:2000", "1:2000"])
        #expect(segmenter.end()?.summary == "2:400")
    }

    @Test("Audio alone is cut by time")
    func cutsSoundAloneByTime() throws {
        var segmenter = try segmenter(video: false)
        #expect(segmenter.append(SyntheticStream.sound(0..<5_000)).map(\.summary) == ["0:2000", "1:2000"])
        #expect(segmenter.end()?.summary == "2:1000")
        #expect(segmenter.discardedUnits == 0)
    }

    @Test("A GOP longer than the segment duration goes through whole")
    func letsAGOPLongerThanTheDurationThrough() throws {
        var segmenter = try segmenter()
        let segments = segmenter.append(SyntheticStream.both(0..<21_000, gop: 10_000))
        #expect(segments.map(\.summary) == ["0:10000", "1:10000"])
    }

    @Test("When no keyframe comes, segments are cut without one")
    func cutsWithoutAKeyframeWhenNoneComes() throws {
        var segmenter = try segmenter()
        let segments = segmenter.append(SyntheticStream.both(0..<61_000, gop: 1_000_000))
        #expect(segments.map(\.summary) == ["0:30000", "1:30000~"])
        #expect(segmenter.discardedUnits == 0)
    }

    @Test("The GOP of 250 frames at 24 frames a second that x264 makes by itself goes through whole")
    func defaultGOPOfX264() throws {
        var segmenter = try segmenter()
        let segments = segmenter.append(SyntheticStream.both(0..<32_000, gop: 10_440))
        #expect(segments.map(\.summary) == ["0:10440", "1:10440", "2:10440"])
    }

    @Test("After a segment that had to be cut without a keyframe, the next keyframe starts one again")
    func regainsTheKeyframe() throws {
        var segmenter = try segmenter(
            SegmenterConfiguration(maximumSegmentDuration: MediaTime(milliseconds: 10_000)))
        let segments = segmenter.append(SyntheticStream.both(0..<31_400, gop: 10_440))
        #expect(
            segments.map(\.summary) == ["0:10000", "1:440~", "2:10000", "3:440~", "4:10000", "5:440~"])
    }

    @Test("Audio that comes a little ahead of its video does not end a segment that a keyframe would end")
    func audioAheadOfTheKeyframe() throws {
        var segmenter = try segmenter(
            SegmenterConfiguration(maximumSegmentDuration: MediaTime(milliseconds: 10_000)))
        let units = SyntheticStream.both(0..<31_000, gop: 10_000).map { unit in
            var unit = unit
            if !unit.codec.isVideo { unit.decodeTime += MediaTime(milliseconds: 60) }
            return unit
        }
        #expect(segmenter.append(units).map(\.summary) == ["0:10000", "1:10000", "2:10000"])
    }

    @Test("After audio that went out alone, the first keyframe starts a segment with both")
    func regainsTheKeyframeAfterAudioAlone() throws {
        var segmenter = try segmenter()
        let units =
            SyntheticStream.both(0..<1_000) + SyntheticStream.sound(1_000..<6_500)
            + SyntheticStream.both(6_500..<8_600)
        #expect(segmenter.append(units).map(\.summary) == ["0:5960", "1:540~", "2:2000"])
    }

    @Test("At the byte limit segments are cut without a keyframe")
    func cutsWithoutAKeyframeAtTheByteLimit() throws {
        var segmenter = try segmenter(SegmenterConfiguration(maximumSegmentBytes: 64 << 10), audio: false)
        let units = (0..<10).map { SyntheticStream.video($0 * 40, key: $0 == 0, size: 20_000) }
        let segments = segmenter.append(units)
        #expect(segments.map(\.summary) == ["0:120", "1:120~", "2:120~"])
        #expect(segments.allSatisfy { $0.bytes.readableBytes <= 64 << 10 })
    }

    @Test("An access unit over the byte limit is left out")
    func refusesAnAccessUnitOverTheByteLimit() throws {
        var segmenter = try segmenter(SegmenterConfiguration(maximumSegmentBytes: 64 << 10))
        #expect(segmenter.append([SyntheticStream.video(0, key: true, size: 70_000)]).isEmpty)
        #expect(segmenter.discardedUnits == 1)
        #expect(segmenter.end() == nil)
    }

    @Test("The first segment waits for a keyframe, and what comes before is left out")
    func waitsForAKeyframeAndLeavesOutWhatComesBefore() throws {
        var segmenter = try segmenter()
        _ = segmenter.append([SyntheticStream.audio(0), SyntheticStream.video(20), SyntheticStream.audio(20)])
        #expect(segmenter.discardedUnits == 3)
        #expect(segmenter.append(SyntheticStream.both(40..<2_100)).map(\.summary) == ["0:2000"])
        #expect(segmenter.discardedUnits == 3)
    }

    @Test("Audio is packaged alone when announced video stays away")
    func packagesSoundAloneWhenAnnouncedPicturesStayAway() throws {
        var segmenter = try segmenter()
        let alone = segmenter.append(SyntheticStream.sound(0..<9_100))
        #expect(alone.map(\.summary) == ["0:2000", "1:2000"])
        #expect(alone.map { $0.tracks.video == nil } == [true, true])
        let joined = segmenter.append(SyntheticStream.both(9_100..<11_200))
        #expect(joined.map(\.summary) == ["2:100", "3:2000!"])
        #expect(joined.map { $0.tracks.video == nil } == [true, false])
    }

    @Test("Segments go on with audio while video stays away")
    func goesOnWithSoundWhilePicturesStayAway() throws {
        var segmenter = try segmenter()
        let units = SyntheticStream.both(0..<1_000) + SyntheticStream.sound(1_000..<13_000)
        #expect(segmenter.append(units).map(\.summary) == ["0:5960", "1:5000~"])
    }

    @Test("Audio far from its video does not stretch segments", arguments: [3_600_000, -3_600_000])
    func soundFarFromItsPicturesDoesNotStretchSegments(by far: Int64) throws {
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
        #expect(segmenter.append(alone).map(\.summary) == ["4:2460", "5:2460~", "6:2460~"])
        #expect(segmenter.end()?.summary == "7:640~")
    }

    @Test("A track that nobody announced is left out")
    func leavesOutATrackNobodyAnnounced() throws {
        var segmenter = try segmenter(video: false)
        let segments = segmenter.append(SyntheticStream.both(0..<2_100))
        #expect(segments.map(\.summary) == ["0:2000"])
        #expect(segmenter.discardedUnits == 53)
    }

    @Test("A stream that never has a keyframe starts without one")
    func startsWithoutAKeyframeWhenThereIsNeverOne() throws {
        var segmenter = try segmenter(audio: false)
        let units = (0..<900).map { SyntheticStream.video($0 * 40) }
        #expect(segmenter.append(units).isEmpty)
        #expect(segmenter.end()?.summary == "0:6000~")
    }

    @Test("A segment whose keyframe is malformed is given up")
    func abandonsASegmentWhoseKeyframeIsMalformed() throws {
        var segmenter = try segmenter(audio: false)
        var broken = SyntheticStream.video(0, key: true)
        broken.payload = ByteBuffer(bytes: [0, 0, 0xff, 0xff, 0x65])
        _ = segmenter.append([broken, SyntheticStream.video(40)])
        #expect(segmenter.discardedUnits == 2)
        #expect(segmenter.append(SyntheticStream.pictures(80..<2_100)).map(\.summary) == ["0:2000"])
    }

    @Test("The segmenter takes nothing after its end")
    func takesNothingAfterItsEnd() throws {
        var segmenter = try segmenter()
        _ = segmenter.append(SyntheticStream.both(0..<500))
        #expect(segmenter.end()?.summary == "0:520")
        #expect(segmenter.end() == nil)
        #expect(segmenter.append(SyntheticStream.both(500..<5_000)).isEmpty)
        #expect(segmenter.discontinuity() == nil)
    }

    @Test("Times at the ends of their range do not trap")
    func survivesTheEndsOfTime() throws {
        var segmenter = try segmenter()
        for time in [Int64.min, .max, 0, .max, .min + 1, -1] {
            var unit = SyntheticStream.video(0, key: true, offset: 0)
            unit.decodeTime = MediaTime(nanoseconds: time)
            unit.compositionOffset = MediaTime(nanoseconds: time)
            _ = segmenter.append(unit, now: time)
        }
        #expect(segmenter.end() != nil)
    }

    @Test("A finished segment is kept in storage of its own size, whatever its size is", arguments: [10, 700, 9_000])
    func storage(ofUnits size: Int) throws {
        var segmenter = try segmenter(audio: false)
        let units = (0..<200).map { SyntheticStream.video($0 * 40, key: $0 % 50 == 0, size: size) }
        let segments = segmenter.append(units)
        #expect(segments.count == 3)
        for segment in segments {
            #expect(segment.bytes.storageCapacity == segment.bytes.readableBytes)
        }
        // What is written into grows with the segment; it is no guess.
        #expect(segmenter.openCapacity <= max(64 << 10, 2 * (segments.first?.bytes.readableBytes ?? 0)))
        _ = segmenter.end()
        #expect(segmenter.openCapacity == 0)
    }

    @Test("A stream whose numbers are not reserved yet waits for them and then starts with a keyframe")
    func withoutNumbers() throws {
        var segmenter = Segmenter(plan: ProgramPlan(numbers: SequenceNumbers(block: 1_000)))
        try segmenter.setTracks(try SyntheticStream.tracks())
        #expect(segmenter.append(SyntheticStream.both(0..<5_000)).isEmpty)
        segmenter.plan.reserved(first: 17)
        #expect(segmenter.append(SyntheticStream.both(5_000..<9_100)).map(\.summary) == ["17:2000!", "18:2000"])
    }
}

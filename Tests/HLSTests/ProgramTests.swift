import Media
import NIOCore
import TestSupport
import Testing

@testable import HLS

/// Streams that are renditions of one another.
@Suite struct ProgramTests {
    private let plan = ProgramPlan(numbers: SequenceNumbers(block: 1_000))

    /// A rendition of the program.
    private func join(above floor: Int64? = nil) throws -> Segmenter {
        if plan.join() { plan.reserved(first: plan.next?.media ?? 0) }
        var segmenter = Segmenter(plan: plan, above: floor)
        try segmenter.setTracks(try SyntheticStream.tracks())
        return segmenter
    }

    private func starts(_ segments: [Segment]) -> [String] {
        segments.map { "\($0.sequence)@\($0.firstTime.milliseconds)\($0.startsWithKeyframe ? "" : "~")" }
    }

    @Test("Renditions have the same numbers for the same time, whoever comes first to a cut")
    func aligned() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<30 {
            let plan = ProgramPlan(numbers: SequenceNumbers(block: 1_000))
            #expect(plan.join())
            plan.reserved(first: 5)
            #expect(!plan.join())
            var renditions = [Segmenter(plan: plan), Segmenter(plan: plan)]
            for index in renditions.indices { try renditions[index].setTracks(try SyntheticStream.tracks()) }
            let units = [
                SyntheticStream.both(0..<25_000, gop: 1_200), SyntheticStream.pictures(0..<25_000, gop: 1_200),
            ]
            var places = [0, 0]
            var segments: [[Segment]] = [[], []]
            while places[0] < units[0].count || places[1] < units[1].count {
                let index = Int.random(in: 0...1, using: &random)
                // Neither is more than some seconds ahead.
                for _ in 0..<Int.random(in: 1...90, using: &random) where places[index] < units[index].count {
                    let unit = units[index][places[index]]
                    segments[index] += [renditions[index].append(unit, now: unit.decodeTime.milliseconds)].compactMap(
                        \.self)
                    places[index] += 1
                }
            }
            #expect(segments[0].count == 10)
            #expect(starts(segments[0]) == starts(segments[1]))
            #expect(segments[0].map(\.discontinuitySequence) == segments[1].map(\.discontinuitySequence))
            #expect(segments[0].map(\.isDiscontinuity) == segments[1].map(\.isDiscontinuity))
        }
    }

    @Test("Renditions of one encoder are cut at the same keyframes, and each segment has the same length in both")
    func sameKeyframes() throws {
        var (one, other) = (try join(), try join())
        var segments: [[Segment]] = [[], []]
        for start in stride(from: Int64(0), to: 20_000, by: 3_000) {
            segments[0] += one.append(SyntheticStream.both(start..<start + 3_000, gop: 1_000))
            segments[1] += other.append(SyntheticStream.both(start..<start + 3_000, gop: 1_000))
        }
        #expect(segments[0].count == 10)
        #expect(starts(segments[0]) == starts(segments[1]))
        #expect(segments[0].map(\.duration) == segments[1].map(\.duration))
        #expect(segments[0].map(\.targetDuration) == segments[1].map(\.targetDuration))
        #expect(segments[0].map(\.discontinuitySequence) == segments[1].map(\.discontinuitySequence))
    }

    @Test("Audio alone is cut where the renditions with video are, even where it comes first")
    func audioFollows() throws {
        let plan = ProgramPlan(numbers: SequenceNumbers(first: 0))
        #expect(plan.join() && !plan.join())
        plan.reserved(first: 0)
        var (video, voice) = (Segmenter(plan: plan), Segmenter(plan: plan))
        try video.setTracks(try SyntheticStream.tracks())
        try voice.setTracks(TrackSet(audio: try SyntheticStream.tracks().audio))
        var segments: [[Segment]] = [[], []]
        // Keyframes come every 3 s; alone, audio would be cut every 2 s. It is 300 ms ahead.
        for start in stride(from: Int64(0), to: 15_000, by: 20) {
            let ahead = SyntheticStream.sound(start + 300..<start + 320)
            if start > 0 { segments[1] += voice.append(ahead) }
            segments[0] += video.append(
                SyntheticStream.both(start..<start + 20, gop: 3_000).map {
                    var unit = $0
                    unit.isKeyframe = !unit.codec.isVideo || start % 3_000 == 0
                    return unit
                })
        }
        #expect(segments[0].map(\.summary) == ["0:3000", "1:3000", "2:3000", "3:3000"])
        #expect(segments[1].map(\.sequence) == [0, 1, 2, 3])
        // What came before the cut was known belongs to the segment before.
        #expect(segments[1].map(\.firstTime.milliseconds) == [320, 3_320, 6_320, 9_320])
        #expect(segments[1].map(\.targetDuration) == [3, 3, 3, 3])
        // Video ends: audio goes on by itself.
        _ = video.end()
        plan.leave()
        let rest = voice.append(SyntheticStream.sound(15_320..<22_000))
        #expect(rest.map(\.summary) == ["4:3000", "5:2000", "6:2000", "7:2000"])
    }

    @Test("A rendition that joins late begins with the number of the segment that is running")
    func late() throws {
        var (one, other) = (try join(), try join())
        #expect(
            starts(one.append(SyntheticStream.both(0..<9_000, gop: 1_000))) == ["0@0", "1@2000", "2@4000", "3@6000"])
        #expect(starts(other.append(SyntheticStream.both(5_000..<9_000, gop: 1_000))) == ["2@5000", "3@6000"])
        #expect(starts(one.append(SyntheticStream.both(9_000..<12_500, gop: 1_000))) == ["4@8000", "5@10000"])
        #expect(starts(other.append(SyntheticStream.both(9_000..<12_500, gop: 1_000))) == ["4@8000", "5@10000"])
    }

    @Test("A rendition that comes back goes on with the running number, and never with one that it has had")
    func returns() throws {
        var (one, other) = (try join(), try join())
        _ = one.append(SyntheticStream.both(0..<9_000, gop: 1_000))
        _ = other.append(SyntheticStream.both(0..<5_000, gop: 1_000))
        #expect(other.end()?.sequence == 2)
        plan.leave()
        var again = try join(above: 2)
        // Its encoder's clock begins anew.
        let segments = again.append(SyntheticStream.both(0..<4_500, gop: 1_000))
        #expect(segments.map(\.sequence) == [4, 5])
        #expect(segments.map(\.isDiscontinuity) == [true, false])
        // The other goes on by its own keyframes, with the numbers that are taken.
        #expect(
            starts(one.append(SyntheticStream.both(9_000..<14_500, gop: 1_000))) == ["4@8000", "5@10000", "6@12000"])
    }

    @Test("A discontinuity of one rendition is one of all, at the next segment at the latest")
    func discontinuities() throws {
        var (one, other) = (try join(), try join())
        var segments: [[Segment]] = [[], []]
        segments[0] += one.append(SyntheticStream.both(0..<4_600))
        segments[1] += other.append(SyntheticStream.both(0..<4_600))
        segments[0] += [one.discontinuity()].compactMap(\.self)
        segments[0] += one.append(SyntheticStream.both(6_000..<12_100))
        segments[1] += other.append(
            SyntheticStream.both(4_600..<12_100).map { unit in
                var unit = unit
                unit.isKeyframe = !unit.codec.isVideo || unit.decodeTime.milliseconds % 2_000 == 0
                return unit
            })
        #expect(segments[0].filter(\.isDiscontinuity).count == 1)
        #expect(segments[1].filter(\.isDiscontinuity).count == 1)
        let last = zip(segments[0], segments[1]).filter { $0.sequence == $1.sequence }.last
        #expect(last?.0.discontinuitySequence == last?.1.discontinuitySequence)
        for list in segments {
            // Each counts what it shows.
            var count = list[0].discontinuitySequence
            for segment in list {
                #expect(segment.discontinuitySequence == count)
                count += segment.isDiscontinuity ? 1 : 0
            }
        }
    }

    @Test("A rendition without a keyframe where the program is cut waits for its own, for half a second")
    func otherKeyframes() throws {
        var (one, other) = (try join(), try join())
        _ = one.append(SyntheticStream.both(0..<8_100))
        let late = SyntheticStream.both(0..<8_700).map { unit in
            var unit = unit
            // At 0, 2.2, 4.2 and then never again.
            unit.isKeyframe = !unit.codec.isVideo || [0, 2_200, 4_200].contains(unit.decodeTime.milliseconds)
            return unit
        }
        #expect(starts(other.append(late)) == ["0@0", "1@2200", "2@4200", "3@6520~"])
    }

    @Test("Of the program's target durations the first finished segment's holds for all")
    func targets() throws {
        var (one, other) = (try join(), try join())
        #expect(one.append(SyntheticStream.both(0..<4_100)).map(\.targetDuration) == [2, 2])
        #expect(other.append(SyntheticStream.both(0..<9_000, gop: 4_000)).allSatisfy { $0.targetDuration == 2 })
        #expect(plan.targetDuration == 2)
        // When all have left, another life may have another.
        _ = one.end()
        _ = other.end()
        plan.leave()
        plan.leave()
        var next = try join(above: 4)
        #expect(next.append(SyntheticStream.both(0..<9_000, gop: 4_000)).map(\.targetDuration) == [4, 4])
    }
}

import Media
import Testing

@testable import HLS

@Suite struct CutRuleTests {
    struct Case: CustomTestStringConvertible {
        var name: String
        var elapsed: Int64
        var isVideo = true
        var isKeyframe = false
        var hasVideo = true
        var startsWithKeyframe = true
        var sinceLastVideo: Int64 = 40
        var bytes = 1_000
        var cuts: Bool
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(name: "a keyframe at the duration", elapsed: 2_000, isKeyframe: true, cuts: true),
        Case(name: "a keyframe a rounding early", elapsed: 1_999, isKeyframe: true, cuts: true),
        Case(name: "a keyframe a tenth early", elapsed: 1_800, isKeyframe: true, cuts: true),
        Case(name: "a keyframe that is too early", elapsed: 1_799, isKeyframe: true, cuts: false),
        Case(name: "another frame", elapsed: 2_000, cuts: false),
        Case(name: "another frame of a long GOP", elapsed: 29_999, cuts: false),
        Case(name: "a GOP that does not end", elapsed: 30_000, cuts: true),
        Case(
            name: "a keyframe in a segment that did not start with one", elapsed: 40, isKeyframe: true,
            startsWithKeyframe: false, cuts: true),
        Case(name: "another frame in such a segment", elapsed: 2_000, startsWithKeyframe: false, cuts: false),
        Case(name: "audio beside video", elapsed: 20_000, isVideo: false, cuts: false),
        Case(
            name: "audio just ahead of the video that ends a long GOP", elapsed: 30_020, isVideo: false,
            sinceLastVideo: 60, cuts: false),
        Case(
            name: "audio where the video that would end a long GOP does not come", elapsed: 30_020, isVideo: false,
            sinceLastVideo: 1_000, cuts: true),
        Case(name: "audio while video pauses", elapsed: 5_100, isVideo: false, sinceLastVideo: 4_999, cuts: false),
        Case(
            name: "audio while video stays away", elapsed: 5_100, isVideo: false, sinceLastVideo: 5_000, cuts: true),
        Case(name: "audio alone, early", elapsed: 1_999, isVideo: false, hasVideo: false, cuts: false),
        Case(name: "audio alone", elapsed: 2_000, isVideo: false, hasVideo: false, cuts: true),
        Case(name: "the last byte allowed", elapsed: 100, bytes: 65_536, cuts: false),
        Case(name: "a byte too many", elapsed: 100, bytes: 65_537, cuts: true),
        Case(name: "going back in time", elapsed: -2_000, isKeyframe: true, cuts: false),
    ]

    @Test("A segment ends where the rule says", arguments: cases) func decides(_ test: Case) {
        let rule = CutRule(SegmenterConfiguration(maximumSegmentBytes: 65_536))
        let facts = CutRule.Facts(
            elapsed: MediaTime(milliseconds: test.elapsed), isVideo: test.isVideo, isKeyframe: test.isKeyframe,
            hasVideo: test.hasVideo, startsWithKeyframe: test.startsWithKeyframe,
            sinceLastVideo: MediaTime(milliseconds: test.sinceLastVideo),
            bytes: test.bytes)
        #expect(rule.cuts(facts) == test.cuts)
    }
}

import Media
import Testing

@testable import HLS

@Suite struct TimelineContinuityTests {
    struct Case: CustomTestStringConvertible {
        var name: String
        /// A track, `v` or `a`, its time in milliseconds, and what is expected: `c`ontinuous, `j`ump, `s`traggler.
        var steps: [(Character, Int64, Character)]
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(name: "the first unit starts a timeline", steps: [("v", 9_000_000, "c")]),
        Case(
            name: "three seconds are no jump, more are", steps: [("v", 0, "c"), ("v", 3_000, "c"), ("v", 6_001, "j")]),
        Case(name: "nor are three seconds back", steps: [("v", 9_000, "c"), ("v", 6_000, "c"), ("v", 2_999, "j")]),
        Case(
            name: "a silent track may come back while the other flows",
            steps: [("a", 0, "c"), ("v", 0, "c"), ("v", 2_900, "c"), ("v", 5_800, "c"), ("a", 5_800, "c")]),
        Case(
            name: "a late track goes on from where it was",
            steps: [("a", 0, "c"), ("v", 0, "c"), ("v", 2_900, "c"), ("v", 5_800, "c"), ("a", 20, "c")]),
        Case(
            name: "the slower track's rest is left out after a jump",
            steps: [
                ("v", 0, "c"), ("a", 0, "c"), ("v", 90_000, "j"), ("a", 20, "s"), ("a", 90_000, "c"),
                ("v", 90_040, "c"),
            ]),
        Case(
            name: "a track that stays behind after a jump is taken as it is in the end",
            steps: [
                ("v", 0, "c"), ("a", 0, "c"), ("v", 90_000, "j"), ("a", 2_900, "s"), ("v", 92_000, "c"),
                ("a", 3_100, "c"), ("v", 94_000, "c"), ("a", 3_120, "c"),
            ]),
        Case(
            name: "a track may begin anywhere",
            steps: [("v", 90_000, "c"), ("a", 0, "c"), ("v", 90_040, "c"), ("a", 20, "c"), ("a", 3_021, "j")]),
        Case(
            name: "one wrong timestamp does not swallow what follows",
            steps: [("v", 0, "c"), ("v", 90_000, "j"), ("v", 40, "j"), ("v", 80, "c")]),
        Case(
            name: "once both have followed, going back is another jump",
            steps: [("v", 0, "c"), ("a", 0, "c"), ("v", 90_000, "j"), ("a", 90_000, "c"), ("a", 20, "j")]),
        Case(
            name: "the ends of time do not trap",
            steps: [("v", .max, "c"), ("v", .min, "j"), ("a", .max, "s"), ("v", .min, "c")]),
    ]

    @Test(arguments: cases) func judges(_ test: Case) {
        var continuity = TimelineContinuity()
        let verdicts = test.steps.map { continuity.observe(isVideo: $0.0 == "v", time: MediaTime(milliseconds: $0.1)) }
        let names: [TimelineContinuity.Verdict: Character] = [.continuous: "c", .jump: "j", .straggler: "s"]
        #expect(verdicts.map { names[$0] } == test.steps.map { Optional($0.2) })
    }

    @Test func startsAnywhereAfterAReset() {
        var continuity = TimelineContinuity()
        #expect(continuity.observe(isVideo: true, time: .zero) == .continuous)
        continuity.reset()
        #expect(continuity.observe(isVideo: true, time: MediaTime(milliseconds: 50_000)) == .continuous)
    }
}

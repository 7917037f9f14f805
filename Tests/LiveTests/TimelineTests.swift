import Media
import NIOCore
import Testing

@testable import Live

@Suite struct TimelineTests {
    private func ms(_ value: Int64) -> MediaTime { MediaTime(milliseconds: value) }
    private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .milliseconds(milliseconds) }

    @Test("The first publisher's timestamps are carried as received")
    func firstPublisher() {
        var timeline = Timeline()
        #expect(timeline.place(ms(5_000), of: .video, now: at(0)) == .init(time: ms(5_000), verdict: .continuous))
        #expect(timeline.place(ms(5_023), of: .video, now: at(20)) == .init(time: ms(5_023), verdict: .continuous))
        #expect(timeline.place(ms(5_010), of: .audio, now: at(21)) == .init(time: ms(5_010), verdict: .continuous))
    }

    @Test("A small step back within a track stands still")
    func stepBack() {
        var timeline = Timeline()
        _ = timeline.place(ms(1_000), of: .video, now: at(0))
        #expect(timeline.place(ms(600), of: .video, now: at(1)) == .init(time: ms(1_000), verdict: .continuous))
        #expect(timeline.place(ms(1_040), of: .video, now: at(2)) == .init(time: ms(1_040), verdict: .continuous))
    }

    @Test("Metadata and headers take the present time, whatever they carry")
    func presentTime() {
        var timeline = Timeline()
        #expect(timeline.presentTime(for: ms(700)) == ms(700))
        _ = timeline.place(ms(90_000), of: .video, now: at(0))
        #expect(timeline.presentTime(for: .zero) == ms(90_000))
    }

    @Test("A returning publisher goes on by the time that passed, with one offset for all tracks")
    func returning() {
        var timeline = Timeline()
        _ = timeline.place(ms(1_000), of: .video, now: at(100))
        _ = timeline.place(ms(2_000), of: .video, now: at(1_100))
        timeline.rebase()
        // Eight seconds of absence; the new encoder's clock starts at 40.
        #expect(timeline.place(ms(40), of: .video, now: at(9_100)) == .init(time: ms(10_000), verdict: .jump))
        #expect(timeline.place(ms(17), of: .audio, now: at(9_101)) == .init(time: ms(9_977), verdict: .continuous))
        #expect(timeline.place(ms(80), of: .video, now: at(9_140)) == .init(time: ms(10_040), verdict: .continuous))
    }

    @Test("A takeover within the same instant still moves forward")
    func takeover() {
        var timeline = Timeline()
        _ = timeline.place(ms(500), of: .video, now: at(7))
        timeline.rebase()
        #expect(timeline.place(ms(90_000), of: .audio, now: at(7)) == .init(time: ms(520), verdict: .jump))
    }

    @Test("Rebasing before anything came changes nothing")
    func early() {
        var timeline = Timeline()
        timeline.rebase()
        #expect(timeline.place(ms(77), of: .video, now: at(0)) == .init(time: ms(77), verdict: .continuous))
    }

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
        Case(name: "nor are three seconds back", steps: [("v", 9_000, "c"), ("v", 6_000, "c"), ("v", 5_999, "j")]),
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
            name: "a second video track is a track of its own",
            steps: [("v", 50_000, "c"), ("w", 0, "c"), ("v", 50_040, "c"), ("w", 40, "c")]),
        Case(
            name: "the ends of time do not trap",
            steps: [("v", .max, "c"), ("a", .max, "c"), ("v", .min, "j"), ("a", .max, "s"), ("v", .min, "c")]),
    ]

    @Test("Jumps are judged for each track", arguments: cases)
    func judges(_ test: Case) {
        var timeline = Timeline()
        let tracks: [Character: TrackID] = ["v": .video, "a": .audio, "w": TrackID(.video, number: 1)]
        let verdicts = test.steps.map { step in
            timeline.place(ms(step.1), of: tracks[step.0] ?? .data, now: at(0)).verdict
        }
        let names: [Timeline.Verdict: Character] = [.continuous: "c", .jump: "j", .straggler: "s"]
        #expect(verdicts.map { names[$0] } == test.steps.map { Optional($0.2) })
    }
}

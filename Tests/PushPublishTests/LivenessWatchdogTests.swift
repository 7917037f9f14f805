import NIOCore
import Testing

@testable import PushPublish

@Suite struct LivenessWatchdogTests {
    struct Poll: Sendable {
        var second: Int64
        var acknowledged: Int64
        var outstanding: Int64
        var verdict: LivenessWatchdog.Verdict = .alive
    }

    struct Story: Sendable, CustomTestStringConvertible {
        var name: String
        var polls: [Poll]
        var testDescription: String { name }
    }

    static let stories = [
        Story(
            name: "progress, however small, is life",
            polls: (1...60).map { Poll(second: $0, acknowledged: $0, outstanding: 500_000) }),
        Story(
            name: "no acknowledgement for ten seconds is the end",
            polls: [
                Poll(second: 1, acknowledged: 100, outstanding: 10),
                Poll(second: 10, acknowledged: 100, outstanding: 5000),
                Poll(second: 11, acknowledged: 100, outstanding: 5000, verdict: .wedged),
            ]),
        Story(
            name: "a silent source is no failure",
            polls: (1...120).map { Poll(second: $0, acknowledged: 100, outstanding: 0) }),
        Story(
            name: "the time-out begins when there is something to acknowledge again",
            polls: [
                Poll(second: 1, acknowledged: 100, outstanding: 0), Poll(second: 60, acknowledged: 100, outstanding: 0),
                Poll(second: 61, acknowledged: 100, outstanding: 50),
                Poll(second: 69, acknowledged: 100, outstanding: 90),
                Poll(second: 70, acknowledged: 100, outstanding: 90, verdict: .wedged),
            ]),
        Story(
            name: "a destination that takes nothing from the start",
            polls: [
                Poll(second: 9, acknowledged: 0, outstanding: 90),
                Poll(second: 10, acknowledged: 0, outstanding: 90, verdict: .wedged),
            ]),
    ]

    @Test("A wedged destination is told from a silent source", arguments: stories)
    func tellsAWedgedTestDestinationFromASilentSource(story: Story) {
        var watchdog = LivenessWatchdog(timeout: .seconds(10), now: .uptimeNanoseconds(0))
        for poll in story.polls {
            let verdict = watchdog.check(
                acknowledged: poll.acknowledged, outstanding: poll.outstanding,
                now: .uptimeNanoseconds(0) + .seconds(poll.second))
            #expect(verdict == poll.verdict, "at second \(poll.second)")
        }
    }
}

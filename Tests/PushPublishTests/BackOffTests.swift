import NIOCore
import Testing

@testable import PushPublish

@Suite struct BackOffTests {
    @Test(
        "The back-off doubles to thirty seconds, with twenty percent of jitter",
        arguments: [
            (0.5, [1, 2, 4, 8, 16, 30, 30]),
            (0.0, [0.8, 1.6, 3.2, 6.4, 12.8, 24, 24]),
            (1.0, [1.2, 2.4, 4.8, 9.6, 19.2, 36, 36]),
        ])
    func doublesToThirtySecondsWithTwentyPercentOfJitter(jitter: Double, seconds: [Double]) {
        var backOff = BackOff(limits: BackOff.Limits())
        let pauses = seconds.map { _ in backOff.pause(after: .transient, connectedFor: nil, jitter: jitter) }
        #expect(pauses == seconds.map { .milliseconds(Int64(($0 * 1000).rounded())) })
    }

    @Test("Permanent failures wait five minutes")
    func permanentFailuresWaitFiveMinutes() {
        var backOff = BackOff(limits: BackOff.Limits())
        for _ in 0..<5 {
            #expect(backOff.pause(after: .permanent, connectedFor: nil, jitter: 0.9) == .seconds(300))
        }
    }

    @Test(
        "Only a healthy connection starts the back-off anew",
        arguments: [
            (TimeAmount.seconds(29), TimeAmount.seconds(8)), (.seconds(30), .seconds(1)), (.hours(2), .seconds(1)),
        ])
    func onlyAHealthyConnectionStartsAnew(connectedFor: TimeAmount, pause: TimeAmount) {
        var backOff = BackOff(limits: BackOff.Limits())
        for _ in 0..<3 { _ = backOff.pause(after: .transient, connectedFor: nil, jitter: 0.5) }
        #expect(backOff.pause(after: .transient, connectedFor: connectedFor, jitter: 0.5) == pause)
    }

    @Test("The back-off never overflows")
    func neverOverflows() {
        var backOff = BackOff(limits: BackOff.Limits(initial: .nanoseconds(.max / 4), maximum: .seconds(30)))
        for _ in 0..<100 {
            #expect(backOff.pause(after: .transient, connectedFor: nil, jitter: 0.5) == .seconds(30))
        }
    }
}

import Testing

@testable import Media

@Suite struct MediaTimeTests {
    @Test(
        "Ticks become the nearest nanosecond",
        arguments: [
            (Int64(0), Int64(0)), (1, 11_111), (2, 22_222), (3, 33_333), (90_000, 1_000_000_000), (-1, -11_111),
            (45, 500_000), (8_589_934_591, 95_443_717_677_778),
        ])
    func ticksBecomeTheNearestNanosecond(ticks: Int64, nanoseconds: Int64) {
        #expect(MediaTime(ticks: ticks, timescale: 90_000).nanoseconds == nanoseconds)
    }

    @Test("Every tick of ninety kilohertz survives the round trip")
    func everyTickOfNinetyKilohertzSurvivesTheRoundTrip() {
        for start: Int64 in [-100_000, 0, 8_589_934_592 - 50_000, 1 << 49] {
            for ticks in start..<(start + 100_000) {
                let time = MediaTime(ticks: ticks, timescale: 90_000)
                guard time.ticks(timescale: 90_000) == ticks else {
                    Issue.record("\(ticks) became \(time.ticks(timescale: 90_000))")
                    return
                }
            }
        }
    }

    @Test(
        "Milliseconds round halves away from zero",
        arguments: [
            (Int64(1_499_999), Int64(1)), (1_500_000, 2), (-1_499_999, -1), (-1_500_000, -2), (499_999, 0),
            (500_000, 1),
            (-500_000, -1),
        ])
    func millisecondsRoundHalvesAwayFromZero(nanoseconds: Int64, milliseconds: Int64) {
        #expect(MediaTime(nanoseconds: nanoseconds).milliseconds == milliseconds)
    }

    @Test("Arithmetic of times saturates")
    func arithmeticSaturates() {
        let most = MediaTime(nanoseconds: .max)
        let least = MediaTime(nanoseconds: .min)
        let one = MediaTime(nanoseconds: 1)
        #expect(most + one == most)
        #expect(least - one == least)
        #expect(least + MediaTime(nanoseconds: -1) == least)
        #expect(most - MediaTime(nanoseconds: -1) == most)
        #expect(MediaTime(milliseconds: .max) == most)
        #expect(MediaTime(milliseconds: .min) == least)
        #expect(MediaTime(ticks: .max, timescale: 1) == most)
        #expect(MediaTime(ticks: .min, timescale: 90_000) == least)
        #expect(most.ticks(timescale: .max) == .max)
        #expect(least.ticks(timescale: .max) == .min)
    }

    @Test("A timescale below one counts as one")
    func aTimescaleBelowOneCountsAsOne() {
        #expect(MediaTime(ticks: 2, timescale: 0).nanoseconds == 2_000_000_000)
        #expect(MediaTime(nanoseconds: 2_000_000_000).ticks(timescale: -5) == 2)
    }

    @Test("Times are subtracted and ordered")
    func differencesAndOrder() {
        var time = MediaTime(milliseconds: 40)
        time += MediaTime(milliseconds: 2)
        #expect(time - MediaTime(milliseconds: 50) == MediaTime(milliseconds: -8))
        #expect(MediaTime(milliseconds: -8) < .zero)
        #expect(time.seconds == 0.042)
    }
}

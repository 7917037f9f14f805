import Media
import Testing

@testable import HLS

@Suite struct ProgramClockTests {
    /// Media time, wall clock and expected date, in milliseconds.
    private func expectDates(_ steps: [(Int64, Int64, Int64)]) {
        var clock = ProgramClock()
        for (media, now, expected) in steps {
            #expect(clock.date(of: MediaTime(milliseconds: media), now: now) == expected)
        }
    }

    @Test("The program clock runs with the media from the first date")
    func runsWithTheMediaFromTheFirstDate() {
        expectDates([(500, 10_000, 10_000), (2_500, 12_100, 12_000), (4_500, 13_000, 14_000)])
    }

    @Test("The program clock is set anew when two segments running are over a second off")
    func isSetAnewWhenTwoSegmentsRunningAreOverASecondOff() {
        expectDates([(0, 10_000, 10_000), (2_000, 13_001, 12_000), (4_000, 15_001, 15_001), (6_000, 17_000, 17_001)])
    }

    @Test("The program clock lets a stall and its burst pass")
    func letsAStallAndItsBurstPass() {
        expectDates([(0, 10_000, 10_000), (2_000, 17_000, 12_000), (4_000, 14_500, 14_000), (6_000, 17_200, 16_000)])
    }

    @Test("The program clock is set anew after a reset")
    func isSetAnewAfterAReset() {
        var clock = ProgramClock()
        #expect(clock.date(of: .zero, now: 1_000) == 1_000)
        clock.reset()
        #expect(clock.date(of: .zero, now: 1_400) == 1_400)
    }

    @Test("The program clock saturates instead of trapping")
    func saturatesInsteadOfTrapping() {
        var clock = ProgramClock()
        #expect(clock.date(of: MediaTime(nanoseconds: .min), now: .max) == .max)
        #expect(clock.date(of: MediaTime(nanoseconds: .max), now: .min) == .max)
        #expect(clock.date(of: MediaTime(nanoseconds: .max), now: .min) == .min)
        #expect(clock.date(of: MediaTime(nanoseconds: .min), now: .max) == .min)
    }
}

import Media
import Testing

@testable import Live

@Suite struct TimelineTests {
    private func ms(_ value: Int64) -> MediaTime { MediaTime(milliseconds: value) }

    @Test func theFirstPublishersTimestampsAreCarriedAsReceived() {
        var timeline = Timeline()
        #expect(timeline.place(ms(5_000), now: ms(0)) == .init(time: ms(5_000), isDiscontinuity: false))
        #expect(timeline.place(ms(5_023), now: ms(20)) == .init(time: ms(5_023), isDiscontinuity: false))
        #expect(timeline.place(ms(5_010), now: ms(21)) == .init(time: ms(5_010), isDiscontinuity: false))
    }

    @Test func aJumpOfMoreThanThreeSecondsEitherWayIsADiscontinuityAndKeepsTheTimestamp() {
        var timeline = Timeline()
        _ = timeline.place(ms(10_000), now: ms(0))
        #expect(timeline.place(ms(13_000), now: ms(1)).isDiscontinuity == false)
        #expect(timeline.place(ms(16_001), now: ms(2)) == .init(time: ms(16_001), isDiscontinuity: true))
        #expect(timeline.place(ms(16_040), now: ms(3)).isDiscontinuity == false)
        #expect(timeline.place(ms(0), now: ms(4)) == .init(time: ms(0), isDiscontinuity: true))
        #expect(timeline.place(ms(40), now: ms(5)).isDiscontinuity == false)
    }

    @Test func aReturningPublisherGoesOnByTheTimeThatPassedWithOneOffsetForBothTracks() {
        var timeline = Timeline()
        _ = timeline.place(ms(1_000), now: ms(100))
        _ = timeline.place(ms(2_000), now: ms(1_100))
        timeline.rebase()
        // Eight seconds of absence; the new encoder's clock starts at 40.
        #expect(timeline.place(ms(40), now: ms(9_100)) == .init(time: ms(10_000), isDiscontinuity: true))
        #expect(timeline.place(ms(17), now: ms(9_101)) == .init(time: ms(9_977), isDiscontinuity: false))
        #expect(timeline.place(ms(80), now: ms(9_140)) == .init(time: ms(10_040), isDiscontinuity: false))
    }

    @Test func aTakeoverWithinTheSameInstantStillMovesForward() {
        var timeline = Timeline()
        _ = timeline.place(ms(500), now: ms(7))
        timeline.rebase()
        #expect(timeline.place(ms(90_000), now: ms(7)) == .init(time: ms(520), isDiscontinuity: true))
    }

    @Test func rebasingBeforeAnythingCameChangesNothing() {
        var timeline = Timeline()
        timeline.rebase()
        #expect(timeline.place(ms(77), now: ms(0)) == .init(time: ms(77), isDiscontinuity: false))
    }
}

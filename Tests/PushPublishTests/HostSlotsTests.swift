import Testing

@testable import PushPublish

@Suite struct HostSlotsTests {
    @Test func asManyAsTheLimitStartAndTheOthersFollowInOrder() {
        var slots = HostSlots<Int>(limit: 2)
        let started = [1, 2, 3, 4].map { slots.acquire($0, host: "a") }
        #expect(started == [true, true, false, false])
        let elsewhere = slots.acquire(9, host: "b")
        #expect(elsewhere)
        let released = [1, 2, 3].map { slots.release($0, host: "a") }
        #expect(released == [3, 4, nil])
        // 4 is still on its way: one place is left.
        let restarted = [5, 6].map { slots.acquire($0, host: "a") }
        #expect(restarted == [true, false])
    }

    @Test func whoWaitsMayGiveUp() {
        var slots = HostSlots<Int>(limit: 1)
        let started = [1, 2, 3].map { slots.acquire($0, host: "a") }
        #expect(started == [true, false, false])
        let released = [2, 1, 1].map { slots.release($0, host: "a") }
        #expect(released == [nil, 3, nil])
        let late = slots.acquire(4, host: "a")
        #expect(!late)
    }
}

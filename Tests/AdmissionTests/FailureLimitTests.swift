import NIOCore
import Synchronization
import Testing

@testable import Admission

struct FailureLimitTests {
    @Test func anAddressWaitsUntilItsMinuteIsOver() {
        let now = NowBox()
        let limit = FailureLimit(perMinute: 2, clock: { now.value })
        #expect(limit.wait("192.0.2.1") == nil)
        limit.note("192.0.2.1")
        now.advance(.seconds(10))
        #expect(limit.allows("192.0.2.1"))
        limit.note("192.0.2.1")
        #expect(limit.wait("192.0.2.1") == 50)
        now.advance(.milliseconds(49_001))
        #expect(limit.wait("192.0.2.1") == 1)
        now.advance(.milliseconds(999))
        #expect(limit.wait("192.0.2.1") == nil)
        limit.note("192.0.2.1")
        #expect(limit.allows("192.0.2.1"))
    }

    @Test func aCustomerOfIPv6IsOneNetwork() {
        let limit = FailureLimit(perMinute: 1)
        limit.note("2001:db8:0:1::1")
        #expect(!limit.allows("2001:db8:0:1:ffff::2"))
        #expect(limit.allows("2001:db8:0:2::1"))
        limit.note("192.0.2.1")
        #expect(!limit.allows("192.0.2.1"))
        #expect(limit.allows("192.0.2.2"))
    }

    @Test func zeroIsNoLimit() {
        let limit = FailureLimit(perMinute: 0)
        for _ in 1...100 { limit.note("192.0.2.1") }
        #expect(limit.allows("192.0.2.1"))
    }

    @Test func itForgetsRatherThanGrow() {
        let now = NowBox()
        let limit = FailureLimit(perMinute: 1, capacity: 2, clock: { now.value })
        limit.note("192.0.2.1")
        now.advance(.seconds(59))
        limit.note("192.0.2.2")
        now.advance(.seconds(2))
        limit.note("192.0.2.3")
        #expect(!limit.allows("192.0.2.2"))
        #expect(!limit.allows("192.0.2.3"))
        limit.note("192.0.2.4")
        #expect(limit.allows("192.0.2.2"))
        #expect(!limit.allows("192.0.2.4"))
    }

    private final class NowBox: Sendable {
        private let time = Mutex(NIODeadline.uptimeNanoseconds(1_000_000_000_000))

        var value: NIODeadline { time.withLock { $0 } }

        func advance(_ amount: TimeAmount) {
            time.withLock { $0 = $0 + amount }
        }
    }
}

import NIOCore
import Synchronization
import Testing

@testable import Admission

struct FailureLimitTests {
    private static let stands = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test("An address waits until its minute is over")
    func anAddressWaitsUntilItsMinuteIsOver() {
        let now = NowBox()
        let limit = FailureLimit(perMinute: 2, clock: { now.value })
        #expect(limit.wait("192.0.2.1") == nil)
        limit.failed("192.0.2.1")
        now.advance(.seconds(10))
        #expect(limit.allows("192.0.2.1"))
        limit.failed("192.0.2.1")
        #expect(limit.wait("192.0.2.1") == 50)
        now.advance(.milliseconds(49_001))
        #expect(limit.wait("192.0.2.1") == 1)
        now.advance(.milliseconds(999))
        #expect(limit.wait("192.0.2.1") == nil)
        limit.failed("192.0.2.1")
        #expect(limit.allows("192.0.2.1"))
    }

    @Test("A customer's IPv6 network counts as one address")
    func aCustomerOfIPv6IsOneNetwork() {
        let limit = FailureLimit(perMinute: 1, clock: { Self.stands })
        limit.failed("2001:db8:0:1::1")
        #expect(!limit.allows("2001:db8:0:1:ffff::2"))
        #expect(limit.allows("2001:db8:0:2::1"))
        limit.failed("192.0.2.1")
        #expect(!limit.allows("192.0.2.1"))
        #expect(limit.allows("192.0.2.2"))
    }

    @Test("A limit of zero is no limit")
    func zeroIsNoLimit() {
        let limit = FailureLimit(perMinute: 0, clock: { Self.stands })
        for _ in 1...100 { limit.failed("192.0.2.1") }
        #expect(limit.allows("192.0.2.1"))
    }

    @Test("More addresses than are remembered push the oldest out")
    func itForgetsRatherThanGrow() {
        let now = NowBox()
        let limit = FailureLimit(perMinute: 1, capacity: 2, clock: { now.value })
        limit.failed("192.0.2.1")
        now.advance(.seconds(59))
        limit.failed("192.0.2.2")
        now.advance(.seconds(2))
        limit.failed("192.0.2.3")
        #expect(!limit.allows("192.0.2.2"))
        #expect(!limit.allows("192.0.2.3"))
        limit.failed("192.0.2.4")
        // The oldest went, and no other.
        #expect(limit.allows("192.0.2.2"))
        #expect(!limit.allows("192.0.2.3"))
        #expect(!limit.allows("192.0.2.4"))
    }

    @Test("Tries that are under way count as failures, so a crowd at once has no more of them")
    func triesUnderWayCount() throws {
        let limit = FailureLimit(perMinute: 2, clock: { Self.stands })
        let first = try #require(limit.enter("192.0.2.1", login: "a"))
        _ = try #require(limit.enter("192.0.2.1", login: "a"))
        #expect(limit.enter("192.0.2.1", login: "a") == nil)
        // One that says nothing of the login gives its place back.
        limit.takeBack(first)
        #expect(limit.enter("192.0.2.1", login: "a") != nil)
        #expect(limit.enter("192.0.2.2", login: "a") != nil)
    }

    @Test("A login that was right is not locked out by others who fail behind its address")
    func aKnownLoginIsCountedApart() throws {
        let limit = FailureLimit(perMinute: 2, clock: { Self.stands })
        limit.succeeded(try #require(limit.enter("192.0.2.1", login: "studio")))
        for _ in 1...2 { _ = try #require(limit.enter("192.0.2.1", login: "guess")) }
        #expect(limit.enter("192.0.2.1", login: "guess") == nil)
        #expect(!limit.allows("192.0.2.1"))
        for _ in 1...10 { limit.succeeded(try #require(limit.enter("192.0.2.1", login: "studio"))) }
        // Nor is it a way around the limit: guesses at it are counted too.
        for _ in 1...2 { _ = try #require(limit.enter("192.0.2.1", login: "studio")) }
        #expect(limit.enter("192.0.2.1", login: "studio") == nil)
        // Elsewhere it is a stranger's.
        #expect(limit.enter("192.0.2.2", login: "studio") != nil)
    }

    @Test("Ten thousand addresses that fail do not wipe out what another has failed")
    func aFullTableForgetsTheOldestOnly() {
        let now = NowBox()
        let limit = FailureLimit(perMinute: 1, capacity: 100, clock: { now.value })
        for number in 0..<100 { limit.failed("10.0.0.\(number)") }
        now.advance(.seconds(1))
        limit.failed("192.0.2.1")
        for number in 0..<99 { limit.failed("10.0.1.\(number)") }
        #expect(!limit.allows("192.0.2.1"))
    }

    @Test("Who comes within two minutes of the refusal is asked once, and of too many the oldest is forgotten")
    func wantedLoginsEnd() {
        let now = NowBox()
        let wanted = WantedLogins(capacity: 2, clock: { now.value })
        wanted.add("192.0.2.1", app: "a")
        now.advance(.seconds(119))
        wanted.add("192.0.2.2", app: "a")
        #expect(!wanted.take("192.0.2.1", app: "b"))
        #expect(wanted.take("192.0.2.1", app: "a"))
        #expect(!wanted.take("192.0.2.1", app: "a"))
        now.advance(.seconds(120))
        #expect(!wanted.take("192.0.2.2", app: "a"))
        for number in 1...3 { wanted.add("192.0.2.\(number)", app: "a") }
        #expect((1...3).map { wanted.take("192.0.2.\($0)", app: "a") } == [false, true, true])
    }

    private final class NowBox: Sendable {
        private let time = Mutex(NIODeadline.uptimeNanoseconds(1_000_000_000_000))

        var value: NIODeadline { time.withLock { $0 } }

        func advance(_ amount: TimeAmount) {
            time.withLock { $0 = $0 + amount }
        }
    }
}

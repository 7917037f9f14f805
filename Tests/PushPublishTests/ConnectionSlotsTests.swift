import Basics
import Testing

@testable import PushPublish

@Suite struct ConnectionSlotsTests {
    typealias Slots = ConnectionSlots<Int>
    private let platform = Slots.Endpoint(host: "a", port: 1935)

    @Test("As many of an account's connections as the limit allows start, and the others follow in order")
    func limit() {
        var slots = Slots(perAccount: 2)
        let started = [1, 2, 3, 4].map { slots.acquire($0, endpoint: platform, account: 1) }
        #expect(started == [true, true, false, false])
        let elsewhere = slots.acquire(9, endpoint: Slots.Endpoint(host: "b", port: 1935), account: 1)
        #expect(elsewhere)
        let released = [1, 2, 3].map { slots.release($0, endpoint: platform, account: 1) }
        #expect(released == [3, 4, nil])
        // 4 is still on its way: one place is left.
        let restarted = [5, 6].map { slots.acquire($0, endpoint: platform, account: 1) }
        #expect(restarted == [true, false])
    }

    @Test("Who waits may give up")
    func givingUp() {
        var slots = Slots(perAccount: 1)
        let started = [1, 2, 3].map { slots.acquire($0, endpoint: platform, account: 1) }
        #expect(started == [true, false, false])
        let released = [2, 1, 1].map { slots.release($0, endpoint: platform, account: 1) }
        #expect(released == [nil, 3, nil])
        let late = slots.acquire(4, endpoint: platform, account: 1)
        #expect(!late)
    }

    @Test("A hundred connections of one account that hang do not keep another's from starting at once")
    func accountsDoNotWaitForEachOther() {
        var slots = Slots(perAccount: 8)
        for number in 0..<100 { _ = slots.acquire(number, endpoint: platform, account: 1) }
        let other = slots.acquire(1_000, endpoint: platform, account: 2)
        #expect(other)
        // Nor do those to another port of the platform count.
        let port81 = Slots.Endpoint(host: "a", port: 81)
        let third = slots.acquire(1_001, endpoint: port81, account: 1)
        #expect(third)
    }

    @Test("When an endpoint is full, the accounts that wait take turns, however much each of them wants")
    func turns() {
        var slots = Slots(perAccount: 1)
        // Four accounts hold all places; 5 wants ten more, 6 and 7 come later with one each.
        for account in 1...4 { _ = slots.acquire(account, endpoint: platform, account: AccountID(rawValue: account)) }
        for number in 50..<60 { _ = slots.acquire(number, endpoint: platform, account: 5) }
        _ = slots.acquire(60, endpoint: platform, account: 6)
        _ = slots.acquire(70, endpoint: platform, account: 7)
        let next = [1, 2, 3, 4].map {
            slots.release($0, endpoint: platform, account: AccountID(rawValue: $0))
        }
        // 5 has its place; its other nine wait for it, and hold up nobody.
        #expect(next == [50, 60, 70, nil])
        let last = slots.release(50, endpoint: platform, account: 5)
        #expect(last == 51)
    }
}

import Basics
import Dispatch
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import PushPublish

@Suite struct LookupQueueTests {
    typealias Queue = LookupQueue<Int>

    static func at(_ second: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(second) }

    private let here = Result<[SocketAddress], PushFailure>.success(
        [try? SocketAddress(ipAddress: "192.0.2.1", port: 0)].compactMap { $0 })
    private let dead = Result<[SocketAddress], PushFailure>.failure(PushFailure(.lookupFailed, "dead"))

    private func begun(_ queue: inout Queue) -> [String] {
        var names: [String] = []
        while let name = queue.next() { names.append(name) }
        return names
    }

    @Test("An account with many dead names holds two threads, and the next account's name is looked up at once")
    func accountsHaveTheirOwnShare() {
        var queue = Queue()
        for number in 1...100 {
            #expect(queue.ask("dead-\(number)", account: 1, waiter: number, now: Self.at(0)) == nil)
        }
        let first = begun(&queue)
        #expect(first == ["dead-1", "dead-2"])
        _ = queue.ask("good", account: 2, waiter: 1_000, now: Self.at(0))
        let second = begun(&queue)
        #expect(second == ["good"])
        #expect(queue.finished("dead-1", dead, now: Self.at(1)) == [1])
        let third = begun(&queue)
        #expect(third == ["dead-3"])
    }

    @Test("When all threads are busy the accounts that wait take turns")
    func turns() {
        var limits = Queue.Limits()
        (limits.running, limits.perAccount) = (1, 1)
        var queue = Queue(limits: limits)
        for (waiter, name) in ["a1", "a2", "a3"].enumerated() {
            _ = queue.ask(name, account: 1, waiter: waiter, now: Self.at(0))
        }
        _ = queue.ask("b1", account: 2, waiter: 10, now: Self.at(0))
        var order: [String] = []
        while let name = queue.next() {
            order.append(name)
            _ = queue.finished(name, here, now: Self.at(0))
        }
        #expect(order == ["a1", "b1", "a2", "a3"])
    }

    @Test("Lookups of one name are shared, and the answer is remembered for a short while, a failure for a shorter one")
    func cache() {
        var queue = Queue()
        _ = queue.ask("good", account: 1, waiter: 1, now: Self.at(0))
        _ = queue.ask("good", account: 2, waiter: 2, now: Self.at(0))
        #expect(begun(&queue) == ["good"])
        #expect(queue.finished("good", here, now: Self.at(1)) == [1, 2])
        #expect(queue.ask("good", account: 1, waiter: 3, now: Self.at(15)) == here)
        #expect(queue.ask("good", account: 1, waiter: 4, now: Self.at(16)) == nil)

        _ = queue.ask("dead", account: 1, waiter: 5, now: Self.at(20))
        _ = begun(&queue)
        _ = queue.finished("dead", dead, now: Self.at(50))
        #expect(queue.ask("dead", account: 1, waiter: 6, now: Self.at(52)) == dead)
        #expect(queue.ask("dead", account: 1, waiter: 7, now: Self.at(53)) == nil)
    }

    @Test("A name that nobody waits for any more is not looked up")
    func leaving() {
        var limits = Queue.Limits()
        limits.running = 1
        var queue = Queue(limits: limits)
        _ = queue.ask("a", account: 1, waiter: 1, now: Self.at(0))
        _ = queue.ask("b", account: 1, waiter: 2, now: Self.at(0))
        #expect(begun(&queue) == ["a"])
        queue.leave("b", waiter: 2)
        queue.leave("a", waiter: 1)
        #expect(queue.finished("a", here, now: Self.at(1)) == [])
        #expect(begun(&queue) == [])
    }

    @Test("What is remembered is bounded, whatever names are asked for")
    func bounded() {
        var limits = Queue.Limits()
        limits.known = 10
        var queue = Queue(limits: limits)
        for number in 0..<25 {
            _ = queue.ask("n\(number)", account: 1, waiter: number, now: Self.at(0))
            _ = begun(&queue)
            _ = queue.finished("n\(number)", here, now: Self.at(0))
        }
        let remembered = (0..<25).count { queue.ask("n\($0)", account: 1, waiter: 100, now: Self.at(1)) != nil }
        #expect((1...10).contains(remembered))
    }
}

@Suite(.timeLimit(.minutes(1))) struct SystemResolverTests {
    /// Name servers that never answer for names that begin with `dead`.
    private final class NameServers: Sendable {
        private let silence = DispatchSemaphore(value: 0)
        private let asked = Mutex<[String]>([])

        var names: [String] { asked.withLock { $0 } }

        func lookUp(_ name: String) -> Result<[SocketAddress], PushFailure> {
            asked.withLock { $0.append(name) }
            if name.hasPrefix("dead") { silence.wait() }
            do {
                return .success([try SocketAddress(ipAddress: "192.0.2.7", port: 0)])
            } catch {
                return .failure(PushFailure(.lookupFailed, "\(error)"))
            }
        }

        func answerAll() {
            for _ in 0..<100 { silence.signal() }
        }
    }

    @Test("One account's dead names leave the other accounts their lookups, and their own waiters are told in time")
    func deadNames() async throws {
        let servers = NameServers()
        let end = Alarm()
        let resolver = SystemResolver(
            limits: LookupQueue<Int>.Limits(), patience: .seconds(10), sleep: { _ in await end.wait() },
            lookUp: servers.lookUp)
        let tenant = Task {
            await withTaskGroup(of: PushFailure.Code?.self) { group in
                for number in 1...50 {
                    group.addTask {
                        do throws(PushFailure) {
                            _ = try await resolver.addresses(of: "dead-\(number).example", port: 1935, account: 1)
                            return nil
                        } catch {
                            return error.code
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
        }
        try await eventually("the first dead names are asked for") { servers.names.count == 2 }
        let found = try await resolver.addresses(of: "Good.Example", port: 1936, account: 2)
        #expect(found.map(\.port) == [1936])
        #expect(found.map(\.ipAddress) == ["192.0.2.7"])
        // The threads are still held, and everybody who waited is told when the time is over.
        end.ring()
        #expect(await tenant.value == Array(repeating: PushFailure.Code.lookupFailed, count: 50))
        #expect(servers.names.filter { $0.hasPrefix("dead") }.count == 2)
        servers.answerAll()
        await resolver.shutdown()
    }
}

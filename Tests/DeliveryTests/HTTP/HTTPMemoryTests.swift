import Basics
import Live
import Testing

@testable import Delivery

@Suite("Memory of HTTP connections") struct HTTPMemoryTests {
    @Test("Of two bodies that leave each other no room, the first that asks for more is refused and the other goes on")
    func oneStays() throws {
        let budget = MemoryBudget(ceiling: 1 << 30)
        let memory = HTTPMemory(budget: budget, maximumBodies: 4_000)
        let network = try #require(IPNetwork("192.0.2.0/24"))
        #expect(memory.takeBody(600, after: 0, of: network))
        #expect(memory.takeBody(400, after: 0, of: network))
        #expect(!memory.takeBody(1, after: 600, of: network))
        // Before the one that was refused has done anything else.
        #expect(memory.takeBody(600, after: 400, of: network))
        #expect(memory.bodyBytes == 1_000)
        #expect(budget.used == 1_000)
        memory.giveBackBody(1_000, of: network)
        #expect(memory.bodyBytes == 0)
        #expect(budget.used == 0)
        #expect(memory.takeBody(1_000, after: 0, of: network))
    }

    @Test("All networks together have what is allowed, and one that is nobody's is bound by that alone")
    func all() throws {
        let memory = HTTPMemory(budget: MemoryBudget(ceiling: 1 << 30), maximumBodies: 4_000)
        let networks = try (0..<3).map { try #require(IPNetwork("192.0.\($0).0/24")) }
        for network in networks { #expect(memory.takeBody(1_000, after: 0, of: network)) }
        #expect(memory.takeBody(900, after: 0, of: nil))
        #expect(!memory.takeBody(101, after: 900, of: nil))
        #expect(memory.takeBody(1_000, after: 0, of: nil))
        #expect(memory.bodyBytes == 4_000)
    }
}

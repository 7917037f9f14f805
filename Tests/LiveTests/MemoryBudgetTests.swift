import Testing

@testable import Live

@Suite struct MemoryBudgetTests {
    @Test(
        "Memory is shed in steps as it comes near the ceiling",
        arguments: [
            (0, .none), (799, .none), (800, .rings), (849, .rings), (850, .retainedSegments), (900, .window),
            (949, .window), (950, .viewers), (999, .viewers), (1_000, .publishers), (5_000, .publishers),
        ] as [(Int, MemoryBudget.Pressure)])
    func steps(used: Int, pressure: MemoryBudget.Pressure) {
        let budget = MemoryBudget(ceiling: 1_000)
        budget.change(by: used)
        #expect(budget.pressure == pressure)
    }

    @Test("An account that holds less than the others is asked to give up memory one step later")
    func fairShare() {
        let budget = MemoryBudget(ceiling: 1_000)
        budget.change(by: 900, account: 1)
        budget.change(by: 120, account: 2)
        #expect(budget.pressure(on: 1) == .publishers)
        #expect(budget.pressure(on: 2) == .viewers)
        #expect(!budget.mayTake(account: 1))
        #expect(budget.mayTake(account: 2))
        // Nobody has less than an account that is new.
        #expect(budget.mayTake(account: 3))
        // A step beyond the ceiling it is everybody's turn.
        budget.change(by: 40, account: 1)
        #expect(!budget.mayTake(account: 2))
    }

    @Test("An account that is alone, or that holds as much as every other, has no privilege")
    func evenShares() {
        let budget = MemoryBudget(ceiling: 1_000)
        budget.change(by: 1_000, account: 1)
        #expect(!budget.mayTake(account: 1))
        budget.change(by: -500, account: 1)
        budget.change(by: 500, account: 2)
        #expect(!budget.mayTake(account: 1))
        #expect(!budget.mayTake(account: 2))
    }

    @Test("What is given back counts no more, in the whole and for the account")
    func balance() {
        let budget = MemoryBudget(ceiling: 1 << 40)
        budget.change(by: 700, account: 7)
        budget.change(by: 50)
        #expect(budget.used == 750)
        #expect(budget.used(by: 7) == 700)
        budget.change(by: -700, account: 7)
        budget.change(by: -50)
        #expect(budget.used == 0)
        #expect(budget.used(by: 7) == 0)
    }

    @Test("A ceiling of any size is divided without overflow")
    func extremes() {
        let budget = MemoryBudget(ceiling: .max)
        budget.change(by: Int.max / 2)
        #expect(budget.pressure == .none)
        #expect(MemoryBudget(ceiling: 0).pressure == .none)
    }
}

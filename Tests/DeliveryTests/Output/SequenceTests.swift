import HLS
import Live
import Testing

@testable import Delivery

@Suite struct SequenceTests {
    /// Whether the store is asked at each number.
    private func asks(_ block: inout SequenceBlock, at numbers: [Int64]) -> [Bool] {
        numbers.map { block.shouldReserve(next: $0) }
    }

    @Test("the next block is asked for at half of the first, once")
    func halfUsed() {
        var block = SequenceBlock(count: 10, first: 100)
        let before = asks(&block, at: [104, 105, 106])
        #expect(before == [false, true, false])
        block.reserved(first: 110)
        #expect(block.limit == 120)
        let after = asks(&block, at: [107, 114, 115])
        #expect(after == [false, false, true])
    }

    @Test("a failure is made good at the next segment, even when the numbers have run out")
    func failure() {
        var block = SequenceBlock(count: 10, first: 0)
        var asked = asks(&block, at: [5])
        block.failed()
        asked += asks(&block, at: [6])
        block.failed()
        for (next, first) in [(27, 10), (28, 20), (29, 30)] as [(Int64, Int64)] {
            asked += asks(&block, at: [next])
            block.reserved(first: first)
        }
        #expect(asked == [true, true, true, true, true])
        let caughtUp = asks(&block, at: [30])
        #expect(caughtUp == [false])
    }

    @Test("numbers beyond Int64 do not trap")
    func absurdStore() {
        var block = SequenceBlock(count: 1_000, first: .max - 5)
        #expect(block.limit == .max)
        block.reserved(first: .max)
        #expect(block.limit == .max)
    }

    @Test("a republished stream goes on where it stopped, unless somebody else had numbers meanwhile")
    func start() async throws {
        let store = MemoryStore()
        let address = StreamAddress(app: "a", instance: "live", stream: "s")
        let numbers = SequenceReservation(store: store, address: address, count: 10)
        let first = numbers.start(first: try await numbers.reserve(), after: nil)
        #expect(first.resume == ResumePoint(sequence: 1, discontinuitySequence: 1))
        #expect(first.limit == 11)
        let stopped = HLSOutput.Numbering(
            resume: ResumePoint(sequence: 4, discontinuitySequence: 2), limit: first.limit)
        let second = numbers.start(first: try await numbers.reserve(), after: stopped)
        #expect(second.resume == stopped.resume)
        #expect(second.limit == 21)
        _ = try await numbers.reserve()
        let third = numbers.start(first: try await numbers.reserve(), after: second)
        #expect(third.resume == ResumePoint(sequence: 31, discontinuitySequence: 31))
    }
}

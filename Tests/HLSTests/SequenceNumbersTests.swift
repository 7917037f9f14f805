import TestSupport
import Testing

@testable import HLS

@Suite struct SequenceNumbersTests {
    private func numbers(block: Int64 = 10, first: Int64) -> SequenceNumbers {
        var numbers = SequenceNumbers(block: block)
        numbers.reserved(first: first)
        return numbers
    }

    /// Uses numbers up to but without `end`.
    private func use(_ numbers: inout SequenceNumbers, to end: Int64) {
        while let next = numbers.next?.media, next < end { _ = numbers.take(isDiscontinuity: false) }
    }

    /// Whether the store is asked when each of the numbers is next, three seconds apart.
    private func asks(_ numbers: inout SequenceNumbers, at positions: [Int64]) -> [Bool] {
        positions.map { position in
            use(&numbers, to: position)
            return numbers.shouldReserve(now: position * 3_000)
        }
    }

    @Test("Numbers are consecutive, and a discontinuity counts for the segments after it")
    func consecutive() {
        var numbers = numbers(first: 7)
        let taken = [false, true, false].map { numbers.take(isDiscontinuity: $0) }
        #expect(
            taken == [
                .init(media: 7, discontinuity: 7), .init(media: 8, discontinuity: 7),
                .init(media: 9, discontinuity: 8),
            ])
    }

    @Test("Without a block there is no number")
    func none() {
        var numbers = SequenceNumbers(block: 10)
        #expect(numbers.take(isDiscontinuity: false) == nil)
    }

    @Test("The next block is asked for at half of the first, once")
    func halfUsed() {
        var numbers = numbers(first: 100)
        let before = asks(&numbers, at: [104, 105, 106])
        #expect(before == [false, true, false])
        numbers.reserved(first: 110)
        #expect(numbers.limit == 120)
        let after = asks(&numbers, at: [107, 114, 115])
        #expect(after == [false, false, true])
    }

    @Test("A failure is made good, even when the numbers have run out")
    func failure() {
        var numbers = numbers(first: 0)
        var asked = asks(&numbers, at: [5])
        numbers.reservationFailed()
        asked += asks(&numbers, at: [6])
        numbers.reservationFailed()
        for (next, first) in [(27, 10), (28, 20), (29, 30)] as [(Int64, Int64)] {
            asked += asks(&numbers, at: [next])
            numbers.reserved(first: first)
        }
        #expect(asked == [true, true, true, true, true])
        let caughtUp = asks(&numbers, at: [30])
        #expect(caughtUp == [false])
    }

    @Test("A store that fails is asked every two seconds at most, whichever way the clock is set")
    func retry() {
        var numbers = SequenceNumbers(block: 10)
        var asked: [Bool] = []
        for now: Int64 in [50_000, 50_040, 51_999, 52_000, 53_999, 20_000] {
            let asks = numbers.shouldReserve(now: now)
            if asks { numbers.reservationFailed() }
            asked.append(asks)
        }
        #expect(asked == [true, false, false, true, false, true])
    }

    @Test("Numbers beyond Int64 do not trap")
    func absurdStore() {
        var numbers = numbers(block: 1_000, first: .max - 5)
        #expect(numbers.limit == .max)
        numbers.reserved(first: .max)
        #expect(numbers.limit == .max)
        for _ in 0..<3 { _ = numbers.take(isDiscontinuity: true) }
        #expect(numbers.next != nil)
        #expect(self.numbers(first: -5).next == .init(media: 0, discontinuity: 0))
    }

    @Test("A republished stream goes on where it stopped if nobody had numbers meanwhile")
    func republished() {
        var first = numbers(first: 1)
        use(&first, to: 4)
        var second = SequenceNumbers(block: 10, after: first)
        second.reserved(first: 11)
        #expect(second.next == .init(media: 4, discontinuity: 1))
        #expect(second.limit == 21)
    }

    @Test("If somebody else had numbers meanwhile, it starts behind them")
    func republishedElsewhere() {
        var first = numbers(first: 1)
        use(&first, to: 4)
        var second = SequenceNumbers(block: 10, after: first)
        second.reserved(first: 21)
        #expect(second.next == .init(media: 21, discontinuity: 21))
    }

    @Test("Numbers that were used unreserved, while the store failed, are not used again by the next publication")
    func overrun() {
        var first = numbers(first: 1)
        use(&first, to: 40)
        var second = SequenceNumbers(block: 10, after: first)
        // Another node had 11 to 20.
        second.reserved(first: 21)
        #expect(second.next == .init(media: 40, discontinuity: 40))
        let asks = second.shouldReserve(now: 0)
        #expect(asks)
    }

    @Test("Over any history of publications, restarts, kills and failures of the store, numbers never go back")
    func histories() {
        var failures: [UInt64] = []
        for seed: UInt64 in 0..<500 {
            var random = SeededGenerator(seed: seed)
            var store: Int64 = 1
            var process: SequenceNumbers?
            var last = SequenceNumbers.Position(media: -1, discontinuity: -1)
            for _ in 0..<60 {
                var numbers = SequenceNumbers(block: 10, after: process)
                let isAnotherNodeThere = Int.random(in: 0..<8, using: &random) == 0
                if isAnotherNodeThere { store += 10 }
                for now: Int64 in 0..<Int64.random(in: 0..<40, using: &random) {
                    if numbers.shouldReserve(now: now * 3_000) {
                        if Int.random(in: 0..<3, using: &random) > 0 {
                            numbers.reserved(first: store)
                            store += 10
                        } else {
                            numbers.reservationFailed()
                        }
                    }
                    // A store that fails for longer than the numbers last is another test's story.
                    if let next = numbers.next, next.media >= numbers.limit { break }
                    let isDiscontinuity = Bool.random(using: &random)
                    guard let taken = numbers.take(isDiscontinuity: isDiscontinuity) else { continue }
                    if taken.media <= last.media || taken.discontinuity < last.discontinuity { failures.append(seed) }
                    last = taken
                }
                let isKilled = Int.random(in: 0..<4, using: &random) == 0
                process = isKilled ? nil : numbers
            }
        }
        #expect(failures.isEmpty, "seeds")
    }
}

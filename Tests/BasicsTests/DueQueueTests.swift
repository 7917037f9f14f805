import Basics
import TestSupport
import Testing

@Suite("Queue by time") struct DueQueueTests {
    @Test("The queue gives keys in the order of their times, whatever was set, moved and removed")
    func queueOrder() {
        var generator = SeededGenerator(seed: 7)
        var queue = DueQueue<Int, Int>()
        var model: [Int: Int] = [:]
        for _ in 0..<20_000 {
            let key = Int.random(in: 0..<200, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                queue.remove(key)
                model[key] = nil
            case 1:
                let now = Int.random(in: 0..<1_000, using: &generator)
                let taken = queue.popFirst(notAfter: now)
                let earliest = model.values.min()
                #expect((taken == nil) == ((earliest ?? .max) > now))
                if let taken {
                    #expect(model[taken] == earliest)
                    model[taken] = nil
                }
            default:
                let time = Int.random(in: 0..<1_000, using: &generator)
                queue.set(key, time)
                model[key] = time
            }
            #expect(queue.count == model.count && queue.time(of: key) == model[key])
        }
    }
}

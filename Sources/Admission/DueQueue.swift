/// Keys in the order of the times at which they are due. Setting, moving, removing and taking one cost O(log n), and nothing that
/// is not due is looked at: a binary heap that knows where each key stands.
struct DueQueue<Key: Hashable & Sendable, Time: Comparable & Sendable>: Sendable {
    private struct Entry: Sendable {
        var time: Time
        var key: Key
    }

    private var heap: [Entry] = []
    private var positions: [Key: Int] = [:]

    var count: Int { heap.count }

    /// When the key is due; nil when it is not in the queue.
    func time(of key: Key) -> Time? {
        positions[key].map { heap[$0].time }
    }

    /// Adds the key, or moves it to another time.
    mutating func set(_ key: Key, _ time: Time) {
        guard let position = positions[key] else {
            heap.append(Entry(time: time, key: key))
            positions[key] = heap.count - 1
            rise(from: heap.count - 1)
            return
        }
        heap[position].time = time
        rise(from: position)
        sink(from: position)
    }

    mutating func remove(_ key: Key) {
        guard let position = positions.removeValue(forKey: key), let last = heap.popLast() else { return }
        guard position < heap.count else { return }
        heap[position] = last
        positions[last.key] = position
        rise(from: position)
        sink(from: position)
    }

    /// Takes the key that is due first, if its time has come.
    mutating func popFirst(notAfter now: Time) -> Key? {
        guard let first = heap.first, first.time <= now else { return nil }
        remove(first.key)
        return first.key
    }

    private mutating func rise(from start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard heap[position].time < heap[parent].time else { return }
            swap(position, parent)
            position = parent
        }
    }

    private mutating func sink(from start: Int) {
        var position = start
        while true {
            var earliest = position
            for child in (2 * position + 1)...(2 * position + 2) {
                if child < heap.count, heap[child].time < heap[earliest].time { earliest = child }
            }
            guard earliest != position else { return }
            swap(position, earliest)
            position = earliest
        }
    }

    private mutating func swap(_ one: Int, _ other: Int) {
        heap.swapAt(one, other)
        positions[heap[one].key] = one
        positions[heap[other].key] = other
    }
}

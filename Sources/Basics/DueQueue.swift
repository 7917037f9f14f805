/// Keys in the order of the times at which they are due. Setting, moving, removing and taking one cost O(log n), and nothing that
/// is not due is looked at: a binary heap that knows where each key stands. Inlinable, so that each room gets code for its
/// own keys.
public struct DueQueue<Key: Hashable & Sendable, Time: Comparable & Sendable>: Sendable {
    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline var time: Time
        @usableFromInline var key: Key

        @inlinable
        init(time: Time, key: Key) {
            self.time = time
            self.key = key
        }
    }

    @usableFromInline var heap: [Entry] = []
    @usableFromInline var positions: [Key: Int] = [:]

    @inlinable
    public init() {}

    @inlinable public var count: Int { heap.count }

    /// When the key is due; nil when it is not in the queue.
    @inlinable
    public func time(of key: Key) -> Time? {
        positions[key].map { heap[$0].time }
    }

    /// Adds the key, or moves it to another time.
    @inlinable
    public mutating func set(_ key: Key, _ time: Time) {
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

    @inlinable
    public mutating func remove(_ key: Key) {
        guard let position = positions.removeValue(forKey: key), let last = heap.popLast() else { return }
        guard position < heap.count else { return }
        heap[position] = last
        positions[last.key] = position
        rise(from: position)
        sink(from: position)
    }

    /// Takes the key that is due first, if its time has come.
    @inlinable
    public mutating func popFirst(notAfter now: Time) -> Key? {
        guard let first = heap.first, first.time <= now else { return nil }
        remove(first.key)
        return first.key
    }

    @inlinable
    mutating func rise(from start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard heap[position].time < heap[parent].time else { return }
            swap(position, parent)
            position = parent
        }
    }

    @inlinable
    mutating func sink(from start: Int) {
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

    @inlinable
    mutating func swap(_ one: Int, _ other: Int) {
        heap.swapAt(one, other)
        positions[heap[one].key] = one
        positions[heap[other].key] = other
    }
}

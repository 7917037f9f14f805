import DequeModule
import Media

/// The stream's recent past in merged writes, shared by its RTMP subscribers: a subscriber holds a position in it, never a
/// queue of its own.
///
/// Capped in bytes and in time. What a new viewer needs, the writes since the newest join point, is kept as long as the
/// byte cap allows; when one GOP alone is larger, new viewers wait for the next keyframe.
public struct WriteRing: Sendable {
    public struct Limits: Sendable, Hashable {
        /// Bytes held at most, by capacity.
        public var bytes: Int
        /// Media time held at most, beyond the newest GOP.
        public var time: MediaTime

        public init(bytes: Int = 16 << 20, time: MediaTime = MediaTime(milliseconds: 15_000)) {
            self.bytes = bytes
            self.time = time
        }
    }

    public let limits: Limits
    private var writes: Deque<MergedWrite> = []
    /// What the writes hold, by capacity.
    private(set) var heldBytes = 0
    /// The next write's sequence.
    private(set) var nextSequence: Int64 = 0
    /// The first write's sequence; the next one's when there is none.
    private(set) var oldestSequence: Int64 = 0
    private var newestJoin: Int64?

    init(limits: Limits) {
        self.limits = limits
    }

    /// Where a new or late subscriber starts: the newest join point still held; nil when there is none.
    var newestJoinSequence: Int64? {
        guard let newestJoin, newestJoin >= oldestSequence, newestJoin < nextSequence else { return nil }
        return newestJoin
    }

    subscript(sequence: Int64) -> MergedWrite? {
        let index = sequence - oldestSequence
        guard index >= 0, index < Int64(writes.count) else { return nil }
        return writes[Int(index)]
    }

    /// Takes the write whose sequence is `nextSequence` and drops what the limits no longer allow.
    mutating func append(_ write: MergedWrite) {
        assert(write.sequence == nextSequence, "writes are counted without gaps")
        if writes.isEmpty { oldestSequence = write.sequence }
        writes.append(write)
        nextSequence = write.sequence + 1
        heldBytes += write.heldBytes
        if write.joinPoint != nil {
            newestJoin = write.sequence
        }
        while heldBytes > limits.bytes, writes.count > 1 {
            dropFirst()
        }
        while let first = writes.first, let newestJoin, first.sequence < newestJoin,
            write.lastTime - first.lastTime > limits.time
        {
            dropFirst()
        }
    }

    /// Drops everything before `sequence`.
    mutating func trim(before sequence: Int64) {
        while let first = writes.first, first.sequence < sequence {
            dropFirst()
        }
    }

    /// Lets everything go; counting goes on.
    mutating func removeAll() {
        writes.removeAll()
        oldestSequence = nextSequence
        heldBytes = 0
        newestJoin = nil
    }

    private mutating func dropFirst() {
        if let dropped = writes.popFirst() {
            heldBytes -= dropped.heldBytes
            oldestSequence = dropped.sequence + 1
        }
    }
}

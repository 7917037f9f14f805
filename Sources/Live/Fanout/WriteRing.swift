import DequeModule
import Media

/// The stream's recent past, shared by its readers: a reader holds a position in it, never a queue of its own.
///
/// Capped in bytes and in time. What a new viewer needs, the batches since the newest start point, is kept as long as the
/// byte cap allows; when one GOP alone is larger, new viewers wait for the next keyframe.
public struct WriteRing: Sendable {
    public struct Limits: Sendable, Hashable {
        /// Bytes held at most.
        public var bytes: Int
        /// Media time held at most, beyond the newest GOP.
        public var time: MediaTime

        public init(bytes: Int = 16 << 20, time: MediaTime = MediaTime(milliseconds: 15_000)) {
            self.bytes = bytes
            self.time = time
        }
    }

    public let limits: Limits
    private var batches: Deque<MergedWrite> = []
    public private(set) var byteCount = 0
    /// The next batch's sequence.
    public private(set) var nextSequence: Int64 = 0
    private var newestStart: Int64?

    public init(limits: Limits) {
        self.limits = limits
    }

    public var oldestSequence: Int64 {
        batches.first?.sequence ?? nextSequence
    }

    /// Where a new or late reader starts: the newest start point still held; nil when there is none.
    public var newestStartSequence: Int64? {
        guard let newestStart, newestStart >= oldestSequence else { return nil }
        return newestStart
    }

    public subscript(sequence: Int64) -> MergedWrite? {
        let index = sequence - oldestSequence
        guard index >= 0, index < Int64(batches.count) else { return nil }
        return batches[Int(index)]
    }

    /// Takes the batch whose sequence is `nextSequence` and drops what the limits no longer allow.
    public mutating func append(_ batch: MergedWrite) {
        batches.append(batch)
        nextSequence = batch.sequence + 1
        byteCount += batch.run.bytes.readableBytes
        if batch.joinPoint != nil {
            newestStart = batch.sequence
        }
        while byteCount > limits.bytes, batches.count > 1 {
            dropFirst()
        }
        while let first = batches.first, let newestStart, first.sequence < newestStart,
            batch.lastTime - first.lastTime > limits.time
        {
            dropFirst()
        }
    }

    /// Drops everything before `sequence`.
    public mutating func trim(before sequence: Int64) {
        while let first = batches.first, first.sequence < sequence {
            dropFirst()
        }
    }

    public mutating func removeAll() {
        batches.removeAll()
        byteCount = 0
    }

    private mutating func dropFirst() {
        if let dropped = batches.popFirst() {
            byteCount -= dropped.run.bytes.readableBytes
        }
    }
}

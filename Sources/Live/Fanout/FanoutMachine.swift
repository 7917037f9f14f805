import NIOCore

/// Where one subscriber is in the stream, and what it has missed.
struct ReadCursor {
    /// The next merged write; nil while it waits for a join point.
    fileprivate(set) var position: Int64?
    /// The first write it has not had: nobody is sent back in time.
    fileprivate var firstNew: Int64 = 0
    /// Since when it has not been at the live edge.
    fileprivate var behindSince: NIODeadline?
    /// Stops delivery without leaving the stream. Whoever goes on does so where it was, as long as no newer keyframe came.
    private(set) var isPaused = false
    /// Video is wanted again and left out until a keyframe.
    fileprivate(set) var awaitsKeyframe = false
    fileprivate var wasPaused = false
    /// How often it was moved forward to a newer keyframe.
    fileprivate(set) var skips = 0
    /// Video frames that it was moved past, as far as they were still held.
    fileprivate(set) var droppedFrames = 0

    mutating func setPaused(_ paused: Bool) {
        guard paused != isPaused else { return }
        isPaused = paused
        behindSince = nil
        if !paused { wasPaused = true }
    }

    /// Video was left out and is wanted again.
    mutating func resumeVideo() {
        awaitsKeyframe = true
    }
}

/// The subscribers' side of a stream as a pure machine: which write a subscriber takes next, when it is moved forward, and
/// when it has been behind for too long. `LoopFanout` writes.
struct FanoutMachine {
    enum Step {
        /// What is in force goes first; writes follow.
        case join(JoinPoint)
        /// - Parameter isNewest: nothing is there to follow it, so there is no need to ask again.
        case write(MergedWrite, isNewest: Bool)
        /// Nothing to do until more comes or the subscriber can take more.
        case wait
        /// It was behind for longer than it may.
        case tooSlow
    }

    private var ring: WriteRing
    private let slowTimeout: TimeAmount
    /// Pushes are written to when this much time has passed since they were.
    private var nextPush: NIODeadline?

    init(ring: WriteRing, slowTimeout: TimeAmount) {
        self.ring = ring
        self.slowTimeout = slowTimeout
    }

    /// Takes the next write. Nothing before `oldest` is kept.
    mutating func append(_ write: MergedWrite, oldest: Int64) {
        ring.append(write)
        ring.trim(before: oldest)
    }

    mutating func removeAll() {
        ring.removeAll()
    }

    /// Whether pushes are to be written to now, or how long they gather.
    mutating func pushDelay(now: NIODeadline) -> TimeAmount? {
        if let nextPush, now < nextPush { return nextPush - now }
        nextPush = now + FlushPolicy.pushInterval
        return nil
    }

    /// The next step for a subscriber; ask until it is told to wait or has the newest write.
    /// - Parameters:
    ///   - isWritable: its connection can take more.
    ///   - pressure: from `viewers` on, those who are behind have a tenth of the time.
    func next(
        _ cursor: inout ReadCursor, isWritable: Bool, now: NIODeadline, pressure: MemoryBudget.Pressure = .none
    ) -> Step {
        guard !cursor.isPaused else { return .wait }
        guard isWritable else { return judge(&cursor, now: now, pressure: pressure) }
        if let position = cursor.position {
            if position < ring.oldestSequence {
                skip(&cursor, from: position)
            } else if cursor.wasPaused, let newest = ring.newestJoinSequence, newest > position {
                cursor.position = nil
            }
        }
        cursor.wasPaused = false
        guard let position = cursor.position else { return join(&cursor) }
        guard let write = ring[position] else {
            cursor.behindSince = nil
            return .wait
        }
        if cursor.awaitsKeyframe, let point = write.joinPoint {
            // The headers may have changed while video was left out.
            cursor.awaitsKeyframe = false
            return .join(point)
        }
        cursor.position = position + 1
        cursor.firstNew = position + 1
        let isNewest = position + 1 == ring.nextSequence
        if isNewest { cursor.behindSince = nil }
        return .write(write, isNewest: isNewest)
    }

    /// What it missed is gone: it goes on from the newest keyframe, never with a frame that refers to lost ones.
    private func skip(_ cursor: inout ReadCursor, from position: Int64) {
        cursor.skips += 1
        cursor.position = nil
        // The frames that are gone can no longer be counted; those still held that it skips can.
        let resumed = ring.newestJoinSequence ?? ring.nextSequence
        var sequence = max(position, ring.oldestSequence)
        while sequence < resumed, let write = ring[sequence] {
            cursor.droppedFrames += write.videoFrames
            sequence += 1
        }
    }

    private func join(_ cursor: inout ReadCursor) -> Step {
        guard let start = ring.newestJoinSequence, start >= cursor.firstNew, let point = ring[start]?.joinPoint else {
            cursor.behindSince = nil
            return .wait
        }
        cursor.position = start
        cursor.awaitsKeyframe = false
        return .join(point)
    }

    private func judge(_ cursor: inout ReadCursor, now: NIODeadline, pressure: MemoryBudget.Pressure) -> Step {
        guard let position = cursor.position, position < ring.nextSequence else {
            cursor.behindSince = nil
            return .wait
        }
        guard let since = cursor.behindSince else {
            cursor.behindSince = now
            return .wait
        }
        let patience =
            pressure >= .viewers ? TimeAmount.nanoseconds(slowTimeout.nanoseconds / 10) : slowTimeout
        return now - since > patience ? .tooSlow : .wait
    }
}

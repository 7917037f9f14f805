import Media

/// Knows when a program clock reference is due and which time it carries: one is due at every keyframe, and no more than
/// 100 ms after the one before (ISO/IEC 13818-1 §2.7.2).
struct ClockReference: Sendable {
    /// The clock runs this far behind the decode times. A unit may lie in the receiver's buffer for as long, which covers
    /// the grouping of audio frames and the encoder's interleaving.
    static let delay = MediaTime(milliseconds: 500)
    /// The longest time between two references.
    static let interval = MediaTime(milliseconds: 100)
    /// A unit carries a reference when the last reference is this old. So between frames of 1/30 s no packet is needed that
    /// carries a reference alone.
    private static let renewal = MediaTime(milliseconds: 50)
    /// A longer gap than this is a jump of the timeline and no slow video, so it is not filled with references.
    private static let longestGap = MediaTime(milliseconds: 3_000)

    private var last: MediaTime?

    /// Forgets the last reference: the next unit begins another timeline.
    mutating func reset() {
        last = nil
    }

    /// The next reference that needs a packet of its own before the unit that is decoded at `time`. Call it until it gives
    /// nil.
    mutating func nextBetween(time: MediaTime) -> MediaTime? {
        let target = time - Self.delay
        guard let last, target - last > Self.interval, target - last <= Self.longestGap else { return nil }
        let next = last + Self.interval
        self.last = next
        return next
    }

    /// The reference that the unit which is decoded at `time` carries; nil when none is due.
    mutating func next(time: MediaTime, isForced: Bool) -> MediaTime? {
        let target = time - Self.delay
        if let last, !isForced, target >= last, target - last < Self.renewal {
            return nil
        }
        last = target
        return target
    }
}

import Media

/// When the program clock reference is due, and what it says: at every keyframe, and never over 100 ms apart
/// (ISO/IEC 13818-1 §2.7.2).
struct ClockReference: Sendable {
    /// The clock runs this far behind the decode times, as long as a unit may lie in the receiver's buffer: it covers
    /// the grouping of audio and the encoder's interleaving.
    static let delay = MediaTime(milliseconds: 500)
    /// The longest time between two references.
    static let interval = MediaTime(milliseconds: 100)
    /// A unit takes a reference along when the last one is this old, so that frames of 1/30 s need none in between.
    private static let renewal = MediaTime(milliseconds: 50)
    /// Above this a gap is a jump of the timeline, not slow video: it is not filled.
    private static let longestGap = MediaTime(milliseconds: 3_000)

    private var last: MediaTime?

    /// The next unit's reference begins anew.
    mutating func reset() {
        last = nil
    }

    /// The reference, if one is due before the unit decoded at `time`, in a packet of its own. Ask until nil.
    mutating func nextBetween(time: MediaTime) -> MediaTime? {
        let target = time - Self.delay
        guard let last, target - last > Self.interval, target - last <= Self.longestGap else { return nil }
        let next = last + Self.interval
        self.last = next
        return next
    }

    /// The reference that the unit decoded at `time` takes along; nil when none is due.
    mutating func next(time: MediaTime, isForced: Bool) -> MediaTime? {
        let target = time - Self.delay
        if let last, !isForced, target >= last, target - last < Self.renewal {
            return nil
        }
        last = target
        return target
    }
}

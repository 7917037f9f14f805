import Media

/// Places a publisher's timestamps on the stream's timeline.
///
/// The first publisher's timestamps are carried as received. When a publisher returns or is taken over, audio and video
/// get one common offset, so that the timeline goes on by the time that passed and their distance is kept.
public struct Timeline: Sendable {
    public struct Placement: Sendable, Equatable {
        public var time: MediaTime
        /// The time base changed here: a new publisher, or a jump of more than three seconds either way.
        public var isDiscontinuity: Bool
    }

    /// A step further than this, either way, is a jump (docs/decisions/0011-timestamps.md).
    public static let jump = MediaTime(milliseconds: 3_000)
    /// The least step from one publisher's last message to the next one's first.
    static let smallestGap = MediaTime(milliseconds: 20)

    private var offset = MediaTime.zero
    private var last: MediaTime?
    private var lastArrival = MediaTime.zero
    private var isRebasing = false

    public init() {}

    /// A new publisher takes the stream on: its first message sets the new offset.
    public mutating func rebase() {
        isRebasing = last != nil
    }

    /// - Parameters:
    ///   - timestamp: the publisher's own, unwrapped.
    ///   - now: when it arrived, on any steady clock.
    public mutating func place(_ timestamp: MediaTime, now: MediaTime) -> Placement {
        var isDiscontinuity = false
        if isRebasing, let last {
            let elapsed = max(now - lastArrival, Timeline.smallestGap)
            offset = last + elapsed - timestamp
            isRebasing = false
            isDiscontinuity = true
        }
        let time = timestamp + offset
        if let last, !isDiscontinuity, time - last > Timeline.jump || last - time > Timeline.jump {
            isDiscontinuity = true
        }
        // Audio and video interleave out of order by less than a jump: the timeline's end is the later of the two.
        if let last, !isDiscontinuity {
            self.last = max(last, time)
        } else {
            last = time
        }
        lastArrival = now
        return Placement(time: time, isDiscontinuity: isDiscontinuity)
    }
}

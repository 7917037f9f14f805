import Media
import Synchronization

/// Where the renditions of one program are cut, how their segments are numbered, and how long a segment may be: decided by the
/// first rendition that comes to it, and followed by the others. So players may go from one to another at any segment
/// (RFC 8216 §6.2.4). A stream without other renditions is a program of one.
///
/// Renditions may be packaged on different event loops; any thread may ask.
public final class ProgramPlan: Sendable {
    /// The numbers that a segment begins with.
    struct Start: Sendable, Equatable, Codable {
        var position: SequenceNumbers.Position
        /// An `EXT-X-DISCONTINUITY` stands before it.
        var isDiscontinuity: Bool
    }

    fileprivate struct Cut {
        let sequence: Int64
        var time: MediaTime
        /// The discontinuities before it, and whether there is one right before it.
        let discontinuities: Int64
        let isDiscontinuity: Bool
    }

    fileprivate struct State {
        var numbers: SequenceNumbers
        /// The newest cuts, oldest first, with consecutive numbers.
        var cuts: [Cut] = []
        var members = 0
        /// Of them, those with video.
        var videoMembers = 0
        var targetDuration: Int?
        var minimumTarget = 0
    }

    /// Renditions that are farther behind follow by number alone.
    private static let rememberedCuts = 32
    /// Timestamps of the same frame in whole milliseconds, of encoders that round in different ways.
    static let tolerance = MediaTime(milliseconds: 5)

    private let state: Mutex<State>

    public init(numbers: SequenceNumbers) {
        state = Mutex(State(numbers: numbers))
    }

    // MARK: From one process to the next

    /// What the next process goes on with.
    public struct Saved: Sendable, Codable {
        fileprivate let next: SequenceNumbers.Position
        fileprivate let limit: Int64
        fileprivate let targetDuration: Int
    }

    /// nil when no rendition has finished a segment in this life.
    public var saved: Saved? {
        state.withLock { state in
            guard let next = state.numbers.next, let target = state.targetDuration else { return nil }
            return Saved(next: next, limit: state.numbers.limit, targetDuration: target)
        }
    }

    /// The plan of a program that goes on. Its renditions that go on are said with `rejoin`.
    public init(continuing saved: Saved, block: Int64) {
        var state = State(numbers: SequenceNumbers(block: block, next: saved.next, limit: saved.limit))
        state.targetDuration = min(max(1, saved.targetDuration), 86_400)
        self.state = Mutex(state)
    }

    /// A rendition goes on that was published before.
    public func rejoin() {
        state.withLock { $0.members += 1 }
    }

    // MARK: Members

    /// A rendition is published. The first one starts a new life of the program: its numbers have to be reserved again, and
    /// segments may become longer.
    ///
    /// - Returns: whether it is the first.
    public func join() -> Bool {
        state.withLock { state in
            state.members += 1
            guard state.members == 1 else { return false }
            state.numbers = SequenceNumbers(block: state.numbers.block, after: state.numbers)
            state.cuts = []
            state.minimumTarget = max(state.minimumTarget, state.targetDuration ?? 0)
            state.targetDuration = nil
            return true
        }
    }

    /// A rendition has ended.
    public func leave() {
        state.withLock { $0.members -= 1 }
    }

    /// A rendition has begun with video.
    func announceVideo() {
        state.withLock { $0.videoMembers += 1 }
    }

    /// A rendition with video has ended.
    func withdrawVideo() {
        state.withLock { $0.videoMembers -= 1 }
    }

    /// Whether it is for renditions with video to say where the program is cut, as far as audio alone is concerned: they have been
    /// cut lately, and by the same clock.
    func isLed(at time: MediaTime, within distance: MediaTime) -> Bool {
        state.withLock { state in
            guard state.videoMembers > 0, let newest = state.cuts.last else { return false }
            return max(time - newest.time, newest.time - time) <= distance
        }
    }

    /// Several renditions are published.
    public var isShared: Bool {
        state.withLock { $0.members > 1 }
    }

    // MARK: Numbers

    /// Whether segments may begin: the first block of numbers has been reserved.
    public var hasNumbers: Bool {
        state.withLock { $0.numbers.next != nil }
    }

    /// What the next new segment gets; nil before the first block has been reserved.
    public var next: SequenceNumbers.Position? {
        state.withLock { $0.numbers.next }
    }

    /// See `SequenceNumbers.shouldReserve`.
    public func shouldReserve(now: Int64) -> Bool {
        state.withLock { $0.numbers.shouldReserve(now: now) }
    }

    /// Takes the block that the store gave.
    public func reserved(first: Int64) {
        state.withLock { $0.numbers.reserved(first: first) }
    }

    /// The store gave nothing; it is asked again later.
    public func reservationFailed() {
        state.withLock { $0.numbers.reservationFailed() }
    }

    // MARK: Durations

    /// `EXT-X-TARGETDURATION` of all renditions, in seconds; nil until the first segment of any is finished.
    public var targetDuration: Int? {
        state.withLock { $0.targetDuration }
    }

    /// Says how long the first segment is that is finished; another one that was finished before it has decided already.
    /// - Returns: the target duration.
    func fixTarget(_ duration: Int) -> Int {
        state.withLock { state in
            let target = state.targetDuration ?? max(duration, state.minimumTarget)
            state.targetDuration = target
            return target
        }
    }

    // MARK: Cuts

    /// When the segment after this one begins, if another rendition has come to it already, and the program's target duration.
    func cut(after sequence: Int64) -> (time: MediaTime, targetDuration: Int?)? {
        state.withLock { state in
            guard let cut = state.cuts.last(where: { $0.sequence == sequence + 1 }) else { return nil }
            return (cut.time, state.targetDuration)
        }
    }

    /// Begins a rendition's segment.
    ///
    /// - Parameters:
    ///   - time: of its first access unit.
    ///   - last: the rendition's last segment, in this life; nil for the first one.
    ///   - floor: numbers up to this one have been used by the rendition in a life before.
    ///   - discontinuities: those of the rendition so far; nil for the first segment.
    ///   - isDiscontinuity: the segment does not continue the one before it.
    /// - Returns: nil before the first block has been reserved.
    func begin(
        at time: MediaTime, after last: Int64?, above floor: Int64?, discontinuities: Int64?, isDiscontinuity: Bool
    ) -> Start? {
        state.withLock { state -> Start? in
            guard let next = state.numbers.next else { return nil }
            let joined = last == nil ? state.cut(at: time, above: floor ?? -1) : nil
            let planned = joined?.sequence ?? last.map { $0 + 1 } ?? next.media
            let own = discontinuities ?? joined?.discontinuities ?? next.discontinuity
            var isDiscontinuity = isDiscontinuity
            if let joined {
                isDiscontinuity = isDiscontinuity || joined.isDiscontinuity
            } else if discontinuities != nil {
                // What another rendition has had this one gets as well, so that all count alike.
                isDiscontinuity = isDiscontinuity || next.discontinuity > own
            } else if state.cuts.isEmpty, next.media > 0 {
                // Players may have seen the playlists of an earlier life.
                isDiscontinuity = true
            }
            let sequence = min(planned, next.media)
            if sequence == next.media {
                _ = state.numbers.take(isDiscontinuity: false)
                state.cuts.append(
                    Cut(sequence: sequence, time: time, discontinuities: own, isDiscontinuity: isDiscontinuity))
                if state.cuts.count > Self.rememberedCuts { state.cuts.removeFirst() }
            }
            if isDiscontinuity { state.numbers.countDiscontinuities(atLeast: own + 1) }
            return Start(
                position: SequenceNumbers.Position(media: sequence, discontinuity: own),
                isDiscontinuity: isDiscontinuity)
        }
    }

    /// A segment that was begun and given up begins anew, with the same number.
    /// - Parameter discontinuities: those of the rendition, the one before this segment included.
    func move(_ sequence: Int64, to time: MediaTime, discontinuities: Int64) {
        state.withLock { state in
            state.numbers.countDiscontinuities(atLeast: discontinuities)
            guard let index = state.cuts.lastIndex(where: { $0.sequence == sequence }) else { return }
            state.cuts[index].time = time
        }
    }
}

extension ProgramPlan.State {
    /// The segment that a rendition joins whose first access unit is at this time; nil: it begins a new one.
    fileprivate func cut(at time: MediaTime, above floor: Int64) -> ProgramPlan.Cut? {
        guard members > 1, let newest = cuts.last, newest.sequence > floor else { return nil }
        let exact = cuts.last {
            $0.time - time <= ProgramPlan.tolerance && time - $0.time <= ProgramPlan.tolerance && $0.sequence > floor
        }
        if let exact { return exact }
        // Between two cuts the segment has begun without it; before all of them, or with another clock, the newest is as good
        // as any.
        let running = cuts.last { $0.time <= time && $0.sequence > floor }
        return running ?? newest
    }
}

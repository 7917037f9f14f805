import Media
import NIOCore

/// Places a publisher's timestamps on the stream's timeline, and is the only judge of jumps in time.
///
/// The first publisher's timestamps are carried as received. When a publisher returns or is taken over, all tracks get one
/// common offset, so that the timeline goes on by the time that passed and their distance is kept. So they do when a stream's
/// other encoder takes it on: by its own clock if both run alike, else by when what it sent came, and in any case behind what
/// viewers have.
///
/// Only access units move the timeline: metadata and sequence headers take its present time, whatever their own says,
/// for encoders send them with timestamp 0 in the middle of a stream. An access unit continues the timeline when it is
/// within three seconds of the latest one, or of the latest of its own track: so a microphone that is silent for a minute
/// is no jump while the video flows. A track that begins, begins where it likes: audio that is always ten seconds away
/// from its video is the encoder's fault, but no reason to break the stream again and again.
public struct Timeline: Sendable {
    public enum Verdict: Sendable, Equatable {
        case continuous
        /// Another timeline starts here: a new publisher, or a jump of more than three seconds.
        case jump
        /// Another track has jumped already and this unit is from before; it fits nowhere any more.
        case straggler
        /// From before the unit that the stream's other encoder began with; viewers have that time already.
        case early
    }

    public struct Placement: Sendable, Equatable {
        public var time: MediaTime
        public var verdict: Verdict
    }

    /// A step further than this, either way, is a jump (docs/decisions/0011-timestamps.md).
    public static let jump = MediaTime(milliseconds: 3_000)
    /// The least step from one publisher's last unit to the next one's first.
    static let smallestGap = MediaTime(milliseconds: 20)
    /// Two encoders' clocks run alike when they are no further apart than networks and encoders can be late.
    static let likeness = MediaTime(milliseconds: 500)

    private struct Track {
        let id: TrackID
        var time: MediaTime
    }

    /// The timeline left at the last jump, until every track that did not jump first has followed.
    private struct Left {
        let latest: MediaTime
        var tracks: [TrackID]
    }

    private var offset = MediaTime.zero
    /// The time of the latest unit of any track.
    private var latest: MediaTime?
    /// The furthest time since the timeline's start: where the next publisher goes on.
    private var end: MediaTime?
    /// When the latest unit came.
    private(set) var lastArrival = NIODeadline.uptimeNanoseconds(0)
    private var tracks: [Track] = []
    private var left: Left?
    private var rebasing: Rebasing?
    /// Where the stream's other encoder began, for tracks that it has not sent since.
    private var start: MediaTime?

    /// What the next access unit's place is taken from.
    private enum Rebasing {
        case newPublisher
        case otherEncoder(keepsClock: Bool)
    }

    public init() {}

    /// A new publisher takes the stream on: its first access unit sets the new offset.
    public mutating func rebase() {
        if end != nil { rebasing = .newPublisher }
    }

    /// The stream's other encoder takes it on. What it sends from here on may have come before the latest unit did.
    /// - Parameters:
    ///   - timestamp: of its latest unit.
    ///   - arrival: when that came.
    mutating func switchOver(latest timestamp: MediaTime?, arrival: NIODeadline) {
        guard end != nil else { return }
        var keepsClock = false
        if let timestamp, let latest {
            let apart = timestamp - (latest - offset) - MediaTime(nanoseconds: (arrival - lastArrival).nanoseconds)
            keepsClock = apart <= Timeline.likeness && apart >= MediaTime.zero - Timeline.likeness
        }
        rebasing = .otherEncoder(keepsClock: keepsClock)
    }

    /// The time for what does not move the timeline. Before the first access unit its own timestamp is as good as any.
    public func presentTime(for timestamp: MediaTime) -> MediaTime {
        latest ?? timestamp
    }

    /// The place of an access unit.
    /// - Parameters:
    ///   - timestamp: the publisher's own, unwrapped.
    ///   - now: when it arrived.
    public mutating func place(_ timestamp: MediaTime, of id: TrackID, now: NIODeadline) -> Placement {
        if let rebasing, let end {
            self.rebasing = nil
            var time = end + MediaTime(nanoseconds: (now - lastArrival).nanoseconds)
            if case .otherEncoder(keepsClock: true) = rebasing { time = timestamp + offset }
            time = max(time, end + Timeline.smallestGap)
            offset = time - timestamp
            startAnew()
            if case .otherEncoder = rebasing { start = time }
            record(time, of: id, now: now)
            return Placement(time: time, verdict: .jump)
        }
        var time = timestamp + offset
        let verdict = judge(time, of: id)
        // No muxer takes a track that goes back; what an encoder turns around by less than a jump stands still.
        if verdict == .continuous, let own = own(id), time < own { time = own }
        if verdict == .jump { startAnew(leftBy: id) }
        if verdict != .straggler, verdict != .early { record(time, of: id, now: now) }
        return Placement(time: time, verdict: verdict)
    }

    private func judge(_ time: MediaTime, of id: TrackID) -> Verdict {
        guard let latest else { return .continuous }
        guard let own = own(id) else {
            if let start, time < start, Timeline.near(time, start) { return .early }
            // Only tracks that have not followed are taken for stragglers: if the one that jumped comes back, its jump was
            // a single wrong timestamp, and waiting for it to be right again would be waiting for ever.
            guard let left, left.tracks.contains(id) else { return .continuous }
            return Timeline.near(time, left.latest) && !Timeline.near(time, latest) ? .straggler : .continuous
        }
        return Timeline.near(time, own) || Timeline.near(time, latest) ? .continuous : .jump
    }

    private func own(_ id: TrackID) -> MediaTime? {
        for track in tracks where track.id == id { return track.time }
        return nil
    }

    private mutating func startAnew(leftBy jumped: TrackID? = nil) {
        if let jumped, let latest {
            left = Left(latest: latest, tracks: tracks.map(\.id).filter { $0 != jumped })
        } else {
            left = nil
        }
        tracks.removeAll(keepingCapacity: true)
        end = nil
        start = nil
    }

    private mutating func record(_ time: MediaTime, of id: TrackID, now: NIODeadline) {
        latest = time
        end = end.map { max($0, time) } ?? time
        lastArrival = now
        if let index = tracks.firstIndex(where: { $0.id == id }) {
            tracks[index].time = time
        } else if tracks.count < TrackWatch.mostTracks {
            tracks.append(Track(id: id, time: time))
        }
        if left != nil {
            left?.tracks.removeAll { $0 == id }
            if left?.tracks.isEmpty == true { left = nil }
        }
    }

    private static func near(_ time: MediaTime, _ other: MediaTime) -> Bool {
        let distance = time - other
        return distance <= jump && distance >= MediaTime.zero - jump
    }
}

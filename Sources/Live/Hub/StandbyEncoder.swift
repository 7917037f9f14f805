import DequeModule
import Media
import NIOCore

/// The one of a stream's two encoders that is not on air: the backup while the primary is well, the primary until it has been
/// well for long enough.
///
/// It keeps what viewers would need to go on with it, in groups that each begin where a viewer may start: from the newest group that
/// began before the encoder on air was last heard on. While that one is well this is one GOP; when it falls silent, it is all that
/// came since, so that nothing is missing when that is noticed.
///
/// An encoder whose network stood still sends what it could not send all at once when that comes back. This is the past, which viewers
/// have had: such a burst is a break like the gap before it, and nothing from before a break is kept.
struct StandbyEncoder {
    struct Kept {
        var sample: StreamSample
        var arrival: NIODeadline
    }

    private struct Group {
        /// What is in force at its first sample.
        let headers: JoinHeaders
        let arrival: NIODeadline
        var samples: [Kept] = []
        var bytes = 0
    }

    let publisher: Publisher
    /// When it was last heard of.
    private(set) var lastSample: NIODeadline
    /// The latest access unit of the track that groups begin with, by the encoder's own clock.
    private(set) var latest: (time: MediaTime, arrival: NIODeadline)?
    /// Since when it has sent without a break, counted from something that viewers may start with.
    private var steadySince: NIODeadline?
    /// By how much its clock has run faster than time since the last break, and a hundredth of that forgiven.
    private var ahead = MediaTime.zero
    private var headers: JoinHeaders
    /// Groups begin with this track's keyframes; nil while it sends audio alone: then with any frame.
    private var video: TrackID?
    private var groups: Deque<Group> = []
    private var keptBytes = 0

    /// - Parameter headers: what is in force, if it has been on air.
    init(_ publisher: Publisher, lastSample: NIODeadline, headers: JoinHeaders = JoinHeaders()) {
        self.publisher = publisher
        self.lastSample = lastSample
        self.headers = headers
        video = headers.samples.lazy.map(\.track).first { $0.kind == .video }
    }

    /// What it holds, by capacity.
    var heldBytes: Int { keptBytes + headers.heldBytes }

    /// Whether it has something to go on with that is no past.
    func isReady(at now: NIODeadline, longestGap: TimeAmount) -> Bool {
        guard let latest, !groups.isEmpty else { return false }
        return now - latest.arrival <= longestGap
    }

    /// How long it has sent without a break.
    func steadiness(at now: NIODeadline) -> TimeAmount {
        steadySince.map { now - $0 } ?? .zero
    }

    /// What to go on with: headers, and then samples with the encoder's own times.
    /// - Parameter isNewest: only from the newest place on where viewers may start.
    func continuation(fromNewest isNewest: Bool) -> (headers: [StreamSample], samples: [Kept]) {
        guard let first = isNewest ? groups.last : groups.first else { return (headers.samples, []) }
        return (first.headers.samples, isNewest ? first.samples : groups.flatMap(\.samples))
    }

    /// In which a sample comes.
    struct Circumstances {
        var now: NIODeadline
        /// When the encoder on air was last heard.
        var lastOnAir: NIODeadline
        /// A gap between two access units longer than this is a break, and so is a burst of so much.
        var longestGap: TimeAmount
        /// Bytes kept at most.
        var limit: Int
        var pressure: MemoryBudget.Pressure
    }

    /// Takes its next sample.
    /// - Returns: whether viewers may start with it.
    mutating func take(_ sample: StreamSample, _ circumstances: Circumstances) -> Bool {
        lastSample = circumstances.now
        headers.observe(sample)
        if sample.track.kind == .video, video.map({ sample.track < $0 }) ?? true {
            video = sample.track
            clear()
        }
        var mayStart = false
        if case .accessUnit = sample.content, sample.track == video ?? .audio {
            if isBreak(before: sample, circumstances) {
                steadySince = nil
                ahead = .zero
                clear()
            }
            latest = (sample.time, circumstances.now)
            mayStart = video == nil || sample.isVideoKeyframe
            if mayStart {
                steadySince = steadySince ?? circumstances.now
                groups.append(Group(headers: headers, arrival: circumstances.now))
            }
        }
        guard let last = groups.indices.last else { return mayStart }
        groups[last].samples.append(Kept(sample: sample, arrival: circumstances.now))
        groups[last].bytes += sample.heldBytes
        keptBytes += sample.heldBytes
        trim(circumstances)
        return mayStart
    }

    private mutating func isBreak(before sample: StreamSample, _ circumstances: Circumstances) -> Bool {
        guard let latest else { return false }
        let elapsed = (circumstances.now - latest.arrival).nanoseconds
        let step = sample.time - latest.time - MediaTime(nanoseconds: elapsed + elapsed / 100)
        ahead = max(.zero, ahead + step)
        return max(elapsed, ahead.nanoseconds) > circumstances.longestGap.nanoseconds
    }

    private mutating func trim(_ circumstances: Circumstances) {
        guard circumstances.pressure < .viewers else { return clear() }
        while groups.count > 1,
            groups[1].arrival <= circumstances.lastOnAir || keptBytes > circumstances.limit
                || circumstances.pressure >= .rings
        {
            keptBytes -= groups.removeFirst().bytes
        }
        // One GOP is too much: it goes on with its next one.
        if keptBytes > circumstances.limit { clear() }
    }

    private mutating func clear() {
        groups.removeAll()
        keptBytes = 0
    }
}

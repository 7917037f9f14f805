import Media

/// Tells whether an access unit continues the timeline, so that a jump opens a discontinuity and stops nothing.
///
/// A unit continues it when it is within three seconds of the latest unit of the stream, or of the latest of its own
/// track: so a microphone that is silent for a minute, or a slide every ten seconds, is no jump while the other track
/// flows. A track that begins, begins where it likes: sound that is always ten seconds away from its pictures is the
/// encoder's fault, but no reason to break the stream again and again.
struct TimelineContinuity {
    enum Verdict: Equatable {
        case continuous
        /// It starts another timeline.
        case jump
        /// The other track has jumped already and this unit is from before; it fits nowhere any more.
        case straggler
    }

    static let tolerance = MediaTime(milliseconds: 3_000)

    private var latest: MediaTime?
    private var latestVideo: MediaTime?
    private var latestAudio: MediaTime?
    /// The timeline left at the last jump, until the track that did not jump first has followed.
    private var left: (latest: MediaTime, videoJumped: Bool)?

    mutating func observe(isVideo: Bool, time: MediaTime) -> Verdict {
        guard let latest else {
            record(isVideo: isVideo, time: time)
            return .continuous
        }
        let own = isVideo ? latestVideo : latestAudio
        // Only the other track's units are taken for stragglers: if the track that jumped comes back, its jump was a
        // single wrong timestamp, and waiting for it to be right again would be waiting for ever.
        if own == nil, let left, left.videoJumped != isVideo, Self.near(time, left.latest), !Self.near(time, latest) {
            return .straggler
        }
        if own == nil || Self.near(time, own) || Self.near(time, latest) {
            if let left, left.videoJumped != isVideo { self.left = nil }
            record(isVideo: isVideo, time: time)
            return .continuous
        }
        latestVideo = nil
        latestAudio = nil
        left = (latest, isVideo)
        record(isVideo: isVideo, time: time)
        return .jump
    }

    /// Whatever comes next starts a timeline.
    mutating func reset() {
        self = TimelineContinuity()
    }

    private mutating func record(isVideo: Bool, time: MediaTime) {
        latest = time
        if isVideo { latestVideo = time } else { latestAudio = time }
    }

    private static func near(_ time: MediaTime, _ other: MediaTime?) -> Bool {
        guard let other else { return false }
        let distance = time - other
        return distance <= tolerance && distance >= MediaTime.zero - tolerance
    }
}

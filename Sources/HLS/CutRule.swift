import Media

/// Decides whether a segment ends before an access unit.
struct CutRule {
    /// What the decision depends on.
    struct Facts {
        /// From the segment's first decode time to the unit's.
        var elapsed: MediaTime
        var isVideo: Bool
        var isKeyframe: Bool
        /// The segment has a video track.
        var hasVideo: Bool
        /// The segment's first access unit is a keyframe.
        var startsWithKeyframe: Bool
        /// From the latest video frame of the segment (or its start) to the unit.
        var sinceLastVideo: MediaTime
        /// How long a frame lasts, as far as is known.
        var frameLength = MediaTime.zero
        /// Bytes of the segment with the unit in it.
        var bytes: Int
        /// Audio alone whose cuts are those of the program's video.
        var follows = false
    }

    /// An encoder's two seconds are sometimes 1.999 s in RTMP's milliseconds; waiting for the next keyframe would double
    /// the segment.
    private let keyframeDuration: MediaTime
    private let audioDuration: MediaTime
    /// How long video may be missing before audio is cut without it: well over what encoders delay video by.
    let videoSilence: MediaTime
    /// How far video may be behind the audio of the same moment.
    static let videoDelay = MediaTime(milliseconds: 1_000)
    private let maximumDuration: MediaTime
    /// Where a segment still counts as one of the target duration, to the nearest second (RFC 8216 §4.3.3.1).
    private(set) var longest = MediaTime(nanoseconds: .max)
    private let maximumBytes: Int

    init(_ configuration: SegmenterConfiguration) {
        let duration = configuration.segmentDuration
        let early = min(MediaTime(nanoseconds: duration.nanoseconds / 10), MediaTime(milliseconds: 250))
        keyframeDuration = duration - early
        audioDuration = duration
        videoSilence = max(duration + duration, MediaTime(milliseconds: 5_000))
        maximumDuration = configuration.maximumSegmentDuration
        maximumBytes = configuration.maximumSegmentBytes
    }

    /// No segment is longer than this from here on.
    mutating func fix(targetDuration: Int) {
        longest = Self.longest(ofTarget: targetDuration)
    }

    static func longest(ofTarget targetDuration: Int) -> MediaTime {
        MediaTime(milliseconds: Int64(targetDuration) * 1_000 + 499)
    }

    func cuts(_ facts: Facts) -> Bool {
        if facts.bytes > maximumBytes { return true }
        let isOverlong = facts.elapsed >= maximumDuration || facts.elapsed + facts.frameLength > longest
        guard facts.hasVideo else { return facts.follows ? isOverlong : facts.elapsed >= audioDuration }
        if facts.isVideo {
            // A segment that did not start with a keyframe ends at the next one, so that the one after it does.
            return isOverlong || facts.isKeyframe && (facts.elapsed >= keyframeDuration || !facts.startsWithKeyframe)
        }
        // Audio comes a little ahead of its video: the next video frame may be the keyframe that is waited for.
        if isOverlong, facts.sinceLastVideo >= Self.videoDelay { return true }
        return facts.elapsed >= videoSilence && facts.sinceLastVideo >= videoSilence
    }
}

/// Decides whether the first segment, or the first after a discontinuity, may start with an access unit.
struct KeyframeWait {
    enum Decision: Equatable {
        case wait
        case start
        /// The video that was announced stays away: audio goes out alone.
        case startWithoutVideo
    }

    private var start: MediaTime?
    private var lastVideo: MediaTime?

    mutating func decide(
        _ unit: AccessUnit, expectsVideo: Bool, videoSilence: MediaTime, maximumDuration: MediaTime
    ) -> Decision {
        guard expectsVideo else { return .start }
        let isVideo = unit.codec.isVideo
        if isVideo, unit.isKeyframe { return .start }
        let start = self.start ?? unit.decodeTime
        self.start = start
        if isVideo {
            lastVideo = unit.decodeTime
            // Intra refresh: there may be no keyframe ever again, and decoders can start without.
            return unit.decodeTime - start >= maximumDuration ? .start : .wait
        }
        return unit.decodeTime - (lastVideo ?? start) >= videoSilence ? .startWithoutVideo : .wait
    }
}

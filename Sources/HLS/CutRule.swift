import Media

/// Decides whether a segment ends before an access unit.
struct CutRule {
    /// What the decision depends on.
    struct Facts {
        /// From the segment's first decode time to the unit's.
        var elapsed: MediaTime
        var isVideo: Bool
        var isKeyframe: Bool
        /// The segment has a picture track.
        var hasVideo: Bool
        /// The segment's first access unit is a keyframe.
        var startsWithKeyframe: Bool
        /// From the latest picture of the segment (or its start) to the unit.
        var sinceLastPicture: MediaTime
        /// Bytes of the segment with the unit in it.
        var bytes: Int
    }

    /// An encoder's two seconds are sometimes 1.999 s in RTMP's milliseconds; waiting for the next keyframe would double
    /// the segment.
    private let keyframeDuration: MediaTime
    private let audioDuration: MediaTime
    /// How long pictures may be missing before sound is cut without them: well over what encoders delay pictures by.
    let pictureSilence: MediaTime
    /// How far pictures may be behind the sound of the same moment.
    private let pictureDelay = MediaTime(milliseconds: 1_000)
    private let maximumDuration: MediaTime
    private let maximumBytes: Int

    init(_ configuration: SegmenterConfiguration) {
        let duration = configuration.segmentDuration
        let early = min(MediaTime(nanoseconds: duration.nanoseconds / 10), MediaTime(milliseconds: 250))
        keyframeDuration = duration - early
        audioDuration = duration
        pictureSilence = max(duration + duration, MediaTime(milliseconds: 5_000))
        maximumDuration = configuration.maximumSegmentDuration
        maximumBytes = configuration.maximumSegmentBytes
    }

    func cuts(_ facts: Facts) -> Bool {
        if facts.bytes > maximumBytes { return true }
        guard facts.hasVideo else { return facts.elapsed >= audioDuration }
        let isOverlong = facts.elapsed >= maximumDuration
        if facts.isVideo {
            // A segment that did not start with a keyframe ends at the next one, so that the one after it does.
            return isOverlong || facts.isKeyframe && (facts.elapsed >= keyframeDuration || !facts.startsWithKeyframe)
        }
        // Sound comes a little ahead of its pictures: the next of them may be the keyframe that is waited for.
        if isOverlong, facts.sinceLastPicture >= pictureDelay { return true }
        return facts.elapsed >= pictureSilence && facts.sinceLastPicture >= pictureSilence
    }
}

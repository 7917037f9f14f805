import Media

/// Decides whether the first segment, or the first after a discontinuity, may start with an access unit.
struct KeyframeWait {
    enum Decision: Equatable {
        case wait
        case start
        /// The pictures that were announced stay away: sound goes out alone.
        case startWithoutVideo
    }

    private var start: MediaTime?
    private var lastPicture: MediaTime?

    mutating func decide(
        _ unit: AccessUnit, expectsVideo: Bool, pictureSilence: MediaTime, maximumDuration: MediaTime
    ) -> Decision {
        guard expectsVideo else { return .start }
        let isVideo = unit.codec.isVideo
        if isVideo, unit.isKeyframe { return .start }
        let start = self.start ?? unit.decodeTime
        self.start = start
        if isVideo {
            lastPicture = unit.decodeTime
            // Intra refresh: there may be no keyframe ever again, and decoders can start without.
            return unit.decodeTime - start >= maximumDuration ? .start : .wait
        }
        return unit.decodeTime - (lastPicture ?? start) >= pictureSilence ? .startWithoutVideo : .wait
    }
}

import Media

/// Knows which tracks a stream has: samples in, the changed set out. What a track's configuration is, is decided here, whatever it
/// comes from: a header, the frames themselves, what is announced beside them.
struct TrackWatch {
    /// More tracks than this pass through unlooked at.
    static let mostTracks = 16

    private(set) var tracks = TrackSet()
    /// The publisher sends video: then nobody starts on an audio frame.
    private(set) var hasVideo = false
    private var colors: [TrackID: Colors] = [:]

    /// What is said of a track's colors.
    private struct Colors {
        /// By the codec's header.
        var coded = VideoColor()
        /// By the encoder beside it, which comes first.
        var announced = VideoColor()
        /// The announcement that holds from the next keyframe on: nobody can change in the middle of a GOP.
        var next: VideoColor?
    }

    /// Another publisher: its own tracks.
    mutating func reset() {
        self = TrackWatch()
    }

    /// - Returns: the tracks, when the sample changed them.
    mutating func observe(_ sample: StreamSample) -> TrackSet? {
        let track = sample.track
        if track.kind == .video { hasVideo = true }
        switch sample.content {
        case .configuration(var configuration?):
            if configuration.codec.isVideo, hasRoom(for: track) {
                colors[track, default: Colors()].coded = configuration.color
                configuration.color = color(of: track)
            }
            return set(configuration, of: track)
        case .trackMetadata(let color?):
            if hasRoom(for: track) { colors[track, default: Colors()].next = color }
            return nil
        case .accessUnit(let unit):
            var changed: TrackSet?
            if unit.codec.isToldByUnits,
                let told = (try? CodecConfiguration(of: unit, after: tracks[track])).flatMap(\.self)
            {
                changed = set(told, of: track)
            }
            if unit.isKeyframe, unit.codec.isVideo, let next = colors[track]?.next {
                colors[track]?.announced = next
                colors[track]?.next = nil
                if var configuration = tracks[track] {
                    configuration.color = color(of: track)
                    changed = set(configuration, of: track) ?? changed
                }
            }
            return changed
        case .configuration(nil), .trackMetadata(nil), .metadata, .timedMetadata, .unreadable, .other:
            return nil
        }
    }

    private func color(of track: TrackID) -> VideoColor {
        colors[track].map { $0.announced.completed(by: $0.coded) } ?? VideoColor()
    }

    private func hasRoom(for track: TrackID) -> Bool {
        colors[track] != nil || colors.count < TrackWatch.mostTracks
    }

    private mutating func set(_ configuration: CodecConfiguration, of track: TrackID) -> TrackSet? {
        let known = tracks[track]
        var configuration = configuration
        if case .vp9(var repeated) = configuration, repeated.resolution == nil, case .vp9(let former)? = known {
            // A header sent again changes nothing that a keyframe told.
            repeated.resolution = former.resolution
            configuration = .vp9(repeated)
        }
        guard configuration != known, known != nil || tracks.list.count < TrackWatch.mostTracks else { return nil }
        tracks[track] = configuration
        return tracks
    }
}

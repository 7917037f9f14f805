import Media

/// Knows which tracks a stream has: samples in, the changed set out.
struct TrackWatch {
    /// More tracks than this pass through unlooked at.
    static let mostTracks = 16

    private(set) var tracks = TrackSet()
    /// The publisher sends video: then nobody starts on an audio frame.
    private(set) var hasVideo = false

    /// Another publisher: its own tracks.
    mutating func reset() {
        self = TrackWatch()
    }

    /// - Returns: the tracks, when the sample changed them.
    mutating func observe(_ sample: StreamSample) -> TrackSet? {
        if sample.track.kind == .video { hasVideo = true }
        switch sample.content {
        case .configuration(let configuration?):
            return set(configuration, of: sample.track)
        case .accessUnit(let unit):
            switch unit.codec {
            case .audio(.mp3):
                // MP3 has no sequence header: its first frame tells.
                guard tracks[sample.track] == nil, let configuration = try? MP3Configuration(frame: unit.payload) else {
                    return nil
                }
                return set(.mp3(configuration), of: sample.track)
            case .video(.vp9):
                // VP9's header does not tell the frame's size, its keyframes do.
                guard unit.isKeyframe, case .vp9(var configuration)? = tracks[sample.track],
                    let header = try? VP9KeyframeHeader(frame: unit.payload),
                    header.resolution != configuration.resolution
                else { return nil }
                configuration.resolution = header.resolution
                return set(.vp9(configuration), of: sample.track)
            default:
                return nil
            }
        case .configuration(nil), .trackMetadata, .metadata, .unreadable, .other:
            return nil
        }
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

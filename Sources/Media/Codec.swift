/// The video codecs a stream may carry. All pass through untouched; packagers say which they can hold.
public enum VideoCodec: String, Sendable, Hashable, CaseIterable {
    case avc
    case hevc
    case av1
    case vp9
    case vp8

    /// The name shown in `stream.active`'s `video_type`.
    public var displayName: String {
        switch self {
        case .avc: "H264"
        case .hevc: "H265"
        case .av1: "AV1"
        case .vp9: "VP9"
        case .vp8: "VP8"
        }
    }
}

/// The audio codecs a stream may carry.
public enum AudioCodec: String, Sendable, Hashable, CaseIterable {
    case aac
    case mp3
    case opus
    case ac3
    case eac3
    case flac

    /// The name shown in `stream.active`'s `audio_type`.
    public var displayName: String {
        switch self {
        case .aac: "AAC"
        case .mp3: "MP3"
        case .opus: "OPUS"
        case .ac3: "AC3"
        case .eac3: "EAC3"
        case .flac: "FLAC"
        }
    }
}

/// What a track carries.
public enum Codec: Sendable, Hashable {
    case video(VideoCodec)
    case audio(AudioCodec)

    @inlinable
    public var isVideo: Bool {
        if case .video = self { true } else { false }
    }

    /// Whether access units tell what the track's header does not, or there is no header; see ``CodecConfiguration/init(of:after:)``.
    @inlinable
    public var isToldByUnits: Bool {
        switch self {
        case .audio(.mp3), .audio(.ac3), .audio(.eac3), .video(.vp9): true
        case .audio(.aac), .audio(.opus), .audio(.flac), .video(.avc), .video(.hevc), .video(.av1), .video(.vp8): false
        }
    }
}

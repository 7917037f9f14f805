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
}

/// The tracks of a stream as a packager sees them: at most one video track and one audio track.
public struct TrackSet: Sendable, Hashable {
    public var video: CodecConfiguration?
    public var audio: CodecConfiguration?

    public init(video: CodecConfiguration? = nil, audio: CodecConfiguration? = nil) {
        self.video = video
        self.audio = audio
    }

    public var isEmpty: Bool {
        video == nil && audio == nil
    }

    /// The RFC 6381 names, video first, comma-separated, as `CODECS` wants them.
    public var codecStrings: [String] {
        [video?.codecString, audio?.codecString].compactMap(\.self)
    }
}

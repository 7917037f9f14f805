/// Which of several tracks in one message a tag is (enhanced RTMP v2 multitrack).
public struct TrackSelection: Sendable, Hashable {
    /// The track's id; 0 is the default track.
    public var trackID: UInt8
    /// Whether the message holds further tracks, which are not shown.
    public var hasMoreTracks: Bool
}

extension VideoTag {
    /// Whether it is of another track than the default one.
    public var isSecondary: Bool {
        track.map { $0.trackID != 0 } ?? false
    }
}

extension AudioTag {
    /// Whether it is of another track than the default one.
    public var isSecondary: Bool {
        track.map { $0.trackID != 0 } ?? false
    }
}

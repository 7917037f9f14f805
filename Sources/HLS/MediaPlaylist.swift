import NIOCore

/// The text of a media playlist (RFC 8216 §4.3.2, §4.3.3). All URIs are relative, so a session in the path of the
/// playlist's own address is inherited by everything it names.
public struct MediaPlaylist: Sendable {
    public var targetDuration: Int
    public var segments: [Segment]
    public var isEnded: Bool

    public init(targetDuration: Int, segments: [Segment], isEnded: Bool) {
        self.targetDuration = targetDuration
        self.segments = segments
        self.isEnded = isEnded
    }

    public init(window: SegmentWindow) {
        self.init(
            targetDuration: window.targetDuration, segments: window.listed, isEnded: window.isEnded)
    }

    /// Decimal `EXTINF`s need version 3; `EXT-X-MAP` needs 6, and Apple's authoring rules ask for 7 with it.
    public var version: Int {
        segments.contains { $0.initialization != nil } ? 7 : 3
    }

    public func rendered() -> ByteBuffer {
        var text = ByteBuffer()
        text.reserveCapacity(256 + segments.count * 128)
        text.writeString("#EXTM3U\n#EXT-X-VERSION:\(version)\n#EXT-X-TARGETDURATION:\(targetDuration)\n")
        text.writeString("#EXT-X-MEDIA-SEQUENCE:\(segments.first?.sequence ?? 0)\n")
        if let discontinuitySequence = segments.first?.discontinuitySequence, discontinuitySequence > 0 {
            text.writeString("#EXT-X-DISCONTINUITY-SEQUENCE:\(discontinuitySequence)\n")
        }
        if segments.allSatisfy(\.startsWithKeyframe) {
            text.writeString("#EXT-X-INDEPENDENT-SEGMENTS\n")
        }
        var initialization: InitializationFile?
        for segment in segments {
            if segment.isDiscontinuity { text.writeString("#EXT-X-DISCONTINUITY\n") }
            if let file = segment.initialization, file.name != initialization?.name {
                initialization = file
                text.writeString("#EXT-X-MAP:URI=\(PlaylistText.quoted(file.name))\n")
            }
            text.writeString("#EXT-X-PROGRAM-DATE-TIME:\(PlaylistText.date(segment.programDateTime))\n")
            text.writeString("#EXTINF:\(PlaylistText.seconds(segment.duration)),\n\(segment.name)\n")
        }
        if isEnded { text.writeString("#EXT-X-ENDLIST\n") }
        return text
    }
}

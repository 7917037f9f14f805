import Basics
import Media
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

/// A playlist and its files at one moment: what every viewer is given until the next one replaces it. Immutable, so any
/// number of threads may read it.
public final class PlaylistSnapshot: Sendable {
    /// The media playlist, the same bytes for every viewer.
    public let mediaPlaylist: ByteBuffer
    /// The media playlist's strong entity tag with its quotation marks. (Another encoding, such as gzip, needs another.)
    public let entityTag: String
    /// When it changed, in Unix milliseconds.
    public let modified: Int64
    /// The segments in the playlist, oldest first; never empty.
    public let listed: [Segment]
    /// `EXT-X-TARGETDURATION` in seconds.
    public let targetDuration: Int
    /// The stream is over; nothing will follow.
    public let isEnded: Bool

    private let files: [String: PlaylistFile]

    init(window: SegmentWindow, modified: Int64) {
        let playlist = MediaPlaylist(window: window).rendered()
        mediaPlaylist = playlist
        entityTag = playlist.withUnsafeReadableBytes { EntityHash.tag(of: $0) }
        self.modified = modified
        listed = window.listed
        targetDuration = window.targetDuration
        isEnded = window.isEnded
        var files: [String: PlaylistFile] = [:]
        for segment in window.retained + window.listed {
            files[segment.name] = .segment(segment)
            if let initialization = segment.initialization {
                files[initialization.name] = .initialization(initialization)
            }
        }
        self.files = files
    }

    /// A segment or an initialization file, listed or not long gone from the list.
    public func file(named name: String) -> PlaylistFile? {
        files[name]
    }

    /// What the newest segment carries.
    public var tracks: TrackSet {
        listed.last?.tracks ?? TrackSet()
    }

    /// Every listed segment starts with a keyframe.
    public var hasIndependentSegments: Bool {
        listed.allSatisfy(\.startsWithKeyframe)
    }

    /// The listed segments as a variant of a master playlist, with bit rates and frame rate as measured.
    public func rendition(uri: String) -> Rendition {
        Rendition(
            uri: uri,
            peakBandwidth: BandwidthMeter.peak(of: listed, targetDuration: targetDuration),
            averageBandwidth: BandwidthMeter.average(of: listed),
            codecs: tracks.codecStrings,
            resolution: tracks.video?.resolution,
            frameRate: tracks.video == nil ? nil : BandwidthMeter.frameRate(of: listed))
    }
}

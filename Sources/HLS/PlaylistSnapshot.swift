import Basics
import Media
import NIOCore

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
        entityTag = EntityHash.tag(of: playlist.readableBytesView)
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

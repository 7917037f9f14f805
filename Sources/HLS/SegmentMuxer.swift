import FragmentedMP4
import MPEGTS
import Media
import NIOCore

/// Writes a segment's access units into its bytes, whatever the container.
struct SegmentMuxer {
    let container: SegmentContainer
    let tracks: TrackSet
    let hasVideo: Bool
    /// `ftyp` and `moov`, for fragmented MP4.
    let initialization: ByteBuffer?
    // One of the two is there. Optionals instead of an enum, because a payload of an enum cannot be changed in place.
    private var transportStream: TransportStreamMuxer?
    private var fragments: FragmentWriter?

    /// A segment of fragmented MP4 is written in fragments of this length, so that a player may decode before it has
    /// all of it and no event loop copies a whole segment at once.
    private static let fragmentDuration = MediaTime(milliseconds: 500)

    /// - Parameters:
    ///   - container: `transportStream` only for what it can carry.
    ///   - start: the first decode time. MP4 has no negative times; MPEG-TS wraps.
    init(tracks: TrackSet, container: SegmentContainer, start: MediaTime) throws {
        self.tracks = tracks
        hasVideo = tracks.video != nil
        self.container = container
        switch container {
        case .transportStream:
            transportStream = try TransportStreamMuxer(tracks: tracks)
            initialization = nil
        case .fragmentedMP4:
            initialization = try InitializationSegment.make(tracks: tracks)
            fragments = try FragmentWriter(tracks: tracks, origin: min(start, .zero))
        }
    }

    /// The container for these tracks: MPEG-TS for what players take in it. MPEG-TS has mappings for HEVC and Opus as
    /// well, but Apple's players want HEVC in MP4 (HLS Authoring Specification §1.5), and hardly any takes that Opus.
    static func container(for tracks: TrackSet) -> SegmentContainer {
        for configuration in [tracks.video, tracks.audio] {
            guard let configuration else { continue }
            switch configuration.codec {
            case .video(.avc), .audio(.aac), .audio(.mp3):
                guard TransportStreamMuxer.canCarry(configuration) else { return .fragmentedMP4 }
            default: return .fragmentedMP4
            }
        }
        return .transportStream
    }

    /// Bytes taken but not written yet.
    var pendingBytes: Int {
        fragments?.pendingBytes ?? 0
    }

    /// Writes what stands at the start of every segment: a player may begin with any of them.
    mutating func begin(isDiscontinuity: Bool, into bytes: inout ByteBuffer) {
        if isDiscontinuity { transportStream?.markDiscontinuity() }
        transportStream?.writeTables(into: &bytes)
    }

    mutating func write(_ unit: AccessUnit, into bytes: inout ByteBuffer) throws {
        try transportStream?.write(unit, into: &bytes)
        if let waiting = fragments?.pendingDuration, waiting >= Self.fragmentDuration {
            fragments?.writeFragment(into: &bytes)
        }
        try fragments?.append(unit)
    }

    /// Writes all that is left.
    ///
    /// - Parameter nextVideo: when the next video frame is decoded, if video is next.
    mutating func finish(nextVideo: MediaTime?, into bytes: inout ByteBuffer) {
        transportStream?.flush(into: &bytes)
        fragments?.finish(nextVideo: nextVideo, into: &bytes)
    }
}

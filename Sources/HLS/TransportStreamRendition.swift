import MPEGTS
import Media
import NIOCore

/// A stream's segments as MPEG-TS, made of the same access units for players that read nothing else. Segments are made one
/// after the other, since the continuity counters go on over them.
public struct TransportStreamRendition: Sendable {
    private var muxer: TransportStreamMuxer?
    private var last: Int64?
    private let storage: CountedStorage

    /// - Parameter storage: what the segments are kept in.
    public init(storage: CountedStorage = CountedStorage()) {
        self.storage = storage
    }

    /// Whether players take these tracks in MPEG-TS: AC-3 and Enhanced AC-3 those that decode them. It has mappings for HEVC and Opus as well, but Apple's players want HEVC in MP4
    /// (HLS Authoring Specification §1.5), and hardly any takes that Opus.
    public static func canCarry(_ tracks: TrackSet) -> Bool {
        [tracks.video, tracks.audio].allSatisfy { configuration in
            guard let configuration else { return true }
            switch configuration.codec {
            case .video(.avc), .audio(.aac), .audio(.mp3), .audio(.ac3), .audio(.eac3):
                return TransportStreamMuxer.canCarry(configuration)
            default: return false
            }
        }
    }

    /// The segment as MPEG-TS; nil when it holds what MPEG-TS does not carry.
    public mutating func bytes(of segment: Segment) -> ByteBuffer? {
        if muxer?.tracks != segment.tracks {
            muxer = Self.canCarry(segment.tracks) ? try? TransportStreamMuxer(tracks: segment.tracks) : nil
        }
        guard muxer != nil else { return nil }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(segment.bytes.readableBytes / 10 * 11)
        // Who begins here, or comes from a segment that was not made, has another clock and other counters.
        if segment.isDiscontinuity || last.map({ $0 + 1 != segment.sequence }) ?? false { muxer?.markDiscontinuity() }
        last = segment.sequence
        muxer?.writeTables(into: &bytes)
        for unit in segment.accessUnits {
            // What it refuses is left out; a decoder of fragmented MP4 passes over it in its own way.
            try? muxer?.write(unit, into: &bytes)
        }
        muxer?.flush(into: &bytes)
        return storage.keep(bytes)
    }
}

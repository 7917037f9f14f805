import NIOCore

/// A media playlist as a player reads it (RFC 8216bis §4.4.3 to §4.4.5), low latency included; keys, byte ranges and date ranges
/// are passed over. Lengths are microseconds, since playlists write up to six decimals.
public struct ClientPlaylist: Sendable, Hashable {
    /// `EXT-X-PART`.
    public struct Part: Sendable, Hashable {
        public var uri: String
        public var duration: Int64
        public var isIndependent = false
        public var isGap = false
    }

    /// A segment; the last one is open while only parts of it are there.
    public struct Segment: Sendable, Hashable {
        public var sequence: Int
        /// Its discontinuity sequence number.
        public var discontinuity: Int
        /// Nil while the segment is open.
        public var uri: String?
        /// `EXTINF`; 0 while the segment is open.
        public var duration: Int64 = 0
        public var parts: [Part] = []
        public var isDiscontinuity = false
        /// `EXT-X-MAP` in force.
        public var map: String?
        /// `EXT-X-PROGRAM-DATE-TIME` in microseconds since 1970, if it stands before this segment.
        public var date: Int64?
        public var isGap = false

        public var isOpen: Bool { uri == nil }
    }

    /// `EXT-X-SERVER-CONTROL`; microseconds.
    public struct ServerControl: Sendable, Hashable {
        public var canBlockReload = false
        public var holdBack: Int64?
        public var partHoldBack: Int64?
        public var canSkipUntil: Int64?
    }

    /// `EXT-X-RENDITION-REPORT`.
    public struct RenditionReport: Sendable, Hashable {
        public var uri: String
        public var lastSequence: Int?
        public var lastPart: Int?
    }

    /// Where a playlist ends: its last segment, and the last part of that; part -1 when it has none, `Int.max` when the segment is
    /// whole.
    public struct Edge: Sendable, Hashable, Comparable {
        public var sequence: Int
        public var part: Int

        public init(sequence: Int, part: Int) {
            self.sequence = sequence
            self.part = part
        }

        public static func < (one: Edge, other: Edge) -> Bool {
            (one.sequence, one.part) < (other.sequence, other.part)
        }
    }

    public var version = 1
    /// Seconds.
    public var targetDuration = 0
    public var partTarget: Int64?
    public var serverControl: ServerControl?
    public var mediaSequence = 0
    public var discontinuitySequence = 0
    public var hasIndependentSegments = false
    public var isEnded = false
    /// Microseconds until it is to be asked for again, where that does not follow from the target duration.
    public var reloadPeriod: Int64?
    /// `EXT-X-SKIP`: so many segments from ``mediaSequence`` on are left out.
    public var skipped = 0
    public var segments: [Segment] = []
    /// `EXT-X-PRELOAD-HINT` of parts and of maps, in order.
    public var hintedParts: [String] = []
    public var hintedMaps: [String] = []
    public var reports: [RenditionReport] = []

    /// Nil for a playlist without segments and parts.
    public var edge: Edge? {
        segments.last.map { Edge(sequence: $0.sequence, part: $0.isOpen ? $0.parts.count - 1 : .max) }
    }

    /// From the start of a segment to the end of the playlist.
    public func duration(from index: Int) -> Int64 {
        segments[index...].reduce(0) { $0 + $1.length }
    }

    /// Why a text is no playlist, with the line it is about, cut at 256 bytes.
    public struct Malformed: Error, CustomStringConvertible, Hashable {
        public var description: String
    }
}

extension ClientPlaylist.Segment {
    /// `EXTINF`, and of an open segment what its parts last.
    public var length: Int64 {
        isOpen ? parts.reduce(0) { $0 + $1.duration } : duration
    }
}

/// What an address answers with: a list of variants, or the media playlist itself, or those of the tracks of a presentation.
public enum ClientDocument: Sendable, Hashable {
    /// The variants' addresses, in order.
    case master([String])
    case media(ClientPlaylist)
    /// An MPD's tracks, and where it is to be asked for from now on, if it says so.
    case presentation([ClientPlaylist], location: String?)

    /// Reads a playlist of HLS strictly: what is not as RFC 8216bis §4 has it is an error, and unknown tags and attributes are none (§6.3.1).
    /// - Throws: ``ClientPlaylist/Malformed``.
    public init(_ bytes: ByteBuffer) throws {
        var reader = PlaylistReader()
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw ClientPlaylist.Malformed(description: "The playlist is not in UTF-8.")
        }
        self = try reader.read(text)
    }
}

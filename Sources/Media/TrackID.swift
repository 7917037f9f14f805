/// Names one track of a stream.
public struct TrackID: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
    /// What a track carries.
    public enum Kind: UInt8, Sendable, Hashable, Codable {
        case video
        case audio
        /// Metadata, cue points, captions: what is neither video nor audio and has a time.
        case data
    }

    public var kind: Kind
    /// The track's number among those of its kind, as in enhanced RTMP's multitrack messages; 0 is the default track.
    public var number: UInt8

    @inlinable
    public init(_ kind: Kind, number: UInt8 = 0) {
        self.kind = kind
        self.number = number
    }

    public static let video = TrackID(.video)
    public static let audio = TrackID(.audio)
    public static let data = TrackID(.data)

    /// Whether it is the track of its kind that a player takes unless it is told otherwise.
    @inlinable
    public var isDefault: Bool {
        number == 0
    }

    public var description: String {
        isDefault ? "\(kind)" : "\(kind) \(number)"
    }

    /// Video before audio before data, then by number.
    @inlinable
    public static func < (lhs: TrackID, rhs: TrackID) -> Bool {
        lhs.kind == rhs.kind ? lhs.number < rhs.number : lhs.kind.rawValue < rhs.kind.rawValue
    }
}

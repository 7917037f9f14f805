import Media

/// Why access units cannot be written as MPEG-TS.
public enum TransportStreamError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no track to write.
    case noTracks
    /// MPEG-TS has no mapping for this codec, or not for this configuration of it.
    case cannotCarry(Codec, reason: String)
    /// The unit belongs to a track that the multiplexer was not made with.
    case unknownTrack(Codec)
    /// The unit's bytes contradict themselves. Nothing of the unit has been written.
    case malformedUnit(Codec, MediaParseError)

    public var description: String {
        switch self {
        case .noTracks: "an MPEG-TS stream needs a track"
        case .cannotCarry(let codec, let reason): "MPEG-TS cannot carry this \(codec.displayName): \(reason)"
        case .unknownTrack(let codec): "the MPEG-TS stream has no \(codec.displayName) track"
        case .malformedUnit(let codec, let error): "a \(codec.displayName) access unit is malformed: \(error)"
        }
    }
}

extension Codec {
    fileprivate var displayName: String {
        switch self {
        case .video(let codec): codec.displayName
        case .audio(let codec): codec.displayName
        }
    }
}

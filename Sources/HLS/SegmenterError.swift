import Media

/// Why tracks cannot be packaged for HLS.
public enum SegmenterError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No container takes these tracks with these configurations; the sentence says what is wrong with them.
    case unsupportedTracks(reason: String)

    public var description: String {
        switch self {
        case .unsupportedTracks(let reason): "the tracks cannot be packaged for HLS: \(reason)"
        }
    }
}

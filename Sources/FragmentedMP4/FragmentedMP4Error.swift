/// Why an initialization segment or a fragment could not be written.
public enum FragmentedMP4Error: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is neither a video nor an audio track.
    case noTracks
    /// The access unit's codec is not the one its track was declared with.
    case undeclaredCodec
    /// More than `FragmentWriter.maximumPendingBytes` were gathered without a fragment being written.
    case fragmentTooLarge
    /// A codec's configuration cannot be put into its box: which box, and why.
    case invalidConfiguration(box: String, reason: String)

    public var description: String {
        switch self {
        case .noTracks: "a file needs at least one track"
        case .undeclaredCodec: "the access unit's codec has no track in this file"
        case .fragmentTooLarge: "the fragment holds too many bytes"
        case .invalidConfiguration(let box, let reason): "\(box): \(reason)"
        }
    }
}

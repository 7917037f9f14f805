/// What caches may do with an answer (RFC 9111 §5.2.2).
enum CachePolicy: Sendable, Hashable {
    /// A playlist anybody may see: half a target duration, so that a cache is never behind by more than a player's own
    /// reload interval.
    case publicPlaylist(targetDuration: Int)
    /// A playlist that was asked for by number (`_HLS_msn`), and so holds what that address asks for as long as it is kept: six
    /// target durations (RFC 8216bis §6.2.5.2).
    case publicNumberedPlaylist(targetDuration: Int)
    /// A file anybody may see. Its name is never used for other bytes.
    case publicFile
    /// A session's playlist: always asked for again, for each request keeps the session alive.
    case sessionPlaylist
    /// A session's file: the viewer's own cache may keep it for a while, a shared one may not, since a revoked ticket
    /// ends at once.
    case sessionFile
    /// A playlist that holds a viewer's ticket, a redirect to it, a refusal.
    case never
    /// A stream's picture, for so many seconds: anybody's, or that of viewers who were let in.
    case picture(seconds: Int, isPublic: Bool)
    /// The player's page, the same for everybody until another version of the server has another.
    case page
    /// Nothing there (yet). A second spares the origin a crowd that waits for a stream.
    case missing

    var headerValue: String {
        switch self {
        case .publicPlaylist(let targetDuration): "public, max-age=\(max(1, targetDuration / 2))"
        case .publicNumberedPlaylist(let targetDuration): "public, max-age=\(max(1, targetDuration) * 6)"
        case .publicFile: "public, max-age=31536000, immutable"
        case .sessionPlaylist: "private, no-cache"
        case .sessionFile: "private, max-age=60"
        case .never: "private, no-store"
        case .picture(let seconds, let isPublic): "\(isPublic ? "public" : "private"), max-age=\(seconds)"
        case .page: "public, max-age=600"
        case .missing: "public, max-age=1"
        }
    }
}

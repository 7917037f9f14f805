import Usher

/// Whether a viewer who asks for a master playlist would be let in.
public enum PreviewDecision: Sendable, Hashable {
    /// The id to write into the playlist's addresses: a running session's or a new one. Nothing is charged yet.
    case allowed(sessionID: String)
    /// The attempt is logged.
    case refused(RefusalReason)

    /// nil when refused.
    public var sessionID: String? {
        if case .allowed(let id) = self { id } else { nil }
    }
}

/// Whether a viewer gets a media playlist.
public enum EntryDecision: Sendable, Hashable {
    /// Under the id that was presented.
    case playing(sessionID: String)
    /// Let in by key and pass, but under another id than the one presented, which is unknown here, over, or somebody
    /// else's: redirect to the same path with this one. Serving the playlist under the presented path would let the
    /// segments after it be refused.
    case reopened(sessionID: String)
    /// The attempt is logged.
    case refused(RefusalReason)

    /// The id that plays; nil when refused.
    public var sessionID: String? {
        switch self {
        case .playing(let id), .reopened(let id): id
        case .refused: nil
        }
    }
}

/// Whether a connection may play (RTMP, SRT).
public enum ConnectionEntry: Sendable, Hashable {
    case admitted(sessionID: String)
    /// The attempt is logged.
    case refused(RefusalReason)
}

/// Why a running session was ended by this side.
public enum EndReason: Sendable, Hashable {
    /// The ticket was revoked or removed, or no longer covers the viewer.
    case revoked
    case expired
}

public enum AdmissionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// `AdmissionConfiguration.maximumSessions` is reached. Nothing was charged; another try later may succeed.
    case tooManySessions

    public var description: String {
        "this node has as many viewers as it may have"
    }
}

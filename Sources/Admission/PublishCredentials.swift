import Basics
import Live

/// What an encoder shows to be let in.
public struct PublishCredentials: Sendable {
    /// `?user=&pass=` of the app URL or the stream name, the latter first.
    public var user: String?
    public var pass: String?
    /// Whom Adobe's challenge has verified on this connection.
    public var challenged: ChallengedUser?

    public init(user: String?, pass: String?, challenged: ChallengedUser? = nil) {
        self.user = user
        self.pass = pass
        self.challenged = challenged
    }

    var isEmpty: Bool { user == nil && pass == nil && challenged == nil }
}

/// A name whose password was shown through Adobe's challenge, and the stream users it is the password of: streams of one app
/// may have users of one name with passwords of their own.
public struct ChallengedUser: Sendable, Hashable {
    public var name: String
    public var ids: Set<Int64>
}

/// What a publisher is let in with.
public struct PublishGrant: Sendable {
    public var accountID: AccountID
    /// What it publishes: of a backup encoder the stream that it is the backup of.
    public var stream: StreamAddress
    public var role: EncoderRole
    /// Empty where none was asked for.
    public var user: String
    public var settings: StreamGrantSettings
}

/// The stored settings that a hub is made with; nil: the configured default.
public struct StreamGrantSettings: Sendable, Hashable {
    public var reconnectWindow: Int?
    public var endsOnUnpublish: Bool?
}

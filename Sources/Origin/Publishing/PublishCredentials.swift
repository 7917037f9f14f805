/// What an encoder shows to be let in.
struct PublishCredentials: Sendable {
    /// `?user=&pass=` of the app URL or the stream name, the latter first.
    var user: String?
    var pass: String?
    /// Whom Adobe's challenge has verified on this connection.
    var challenged: ChallengedUser?

    var isEmpty: Bool { user == nil && pass == nil && challenged == nil }
}

/// A name whose password was shown through Adobe's challenge, and the stream users it is the password of: streams of one app
/// may have users of one name with passwords of their own.
struct ChallengedUser: Sendable, Hashable {
    var name: String
    var ids: Set<Int64>
}

/// What a publisher is let in with.
struct PublishGrant: Sendable {
    var cdn: Int
    /// Empty where none was asked for.
    var user: String
    var settings: StreamGrantSettings
}

/// The stored settings that a hub is made with; nil: the configured default.
struct StreamGrantSettings: Sendable, Hashable {
    var reconnectWindow: Int?
    var endsOnUnpublish = true
}

/// What an encoder shows to be let in.
struct PublishCredentials: Sendable {
    /// `?user=&pass=` of the app URL or the stream name, the latter first.
    var user: String?
    var pass: String?
    /// The user that Adobe's challenge has verified on this connection, for this app.
    var challengedUser: String?

    var isEmpty: Bool { user == nil && pass == nil && challengedUser == nil }
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

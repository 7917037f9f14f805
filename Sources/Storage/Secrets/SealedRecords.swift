// What is sealed in the database, each text for its own row, so that none can stand in for another.

extension StreamUser {
    /// - Parameter verifier: what verifies answers to Adobe's challenge.
    public mutating func setChallengeVerifier(_ verifier: String, with key: ServerSecret) throws {
        sealedChallengeVerifier = try key.seal(verifier, context: challengeContext)
    }

    /// nil when there is none. Throws when it cannot be opened: it was sealed with another key, or for another user.
    public func challengeVerifier(with key: ServerSecret) throws -> String? {
        try sealedChallengeVerifier.map { try key.open($0, context: challengeContext) }
    }

    var challengeContext: String {
        Self.challengeContext(app: app, stream: stream, user: user ?? "")
    }

    static func challengeContext(app: String, stream: String, user: String) -> String {
        "challenge verifier of user \(user) of stream \(app)/\(stream)"
    }
}

extension APIKey {
    /// - Parameter apiKey: the public key.
    static func sealContext(_ apiKey: String) -> String {
        "private key of API key \(apiKey)"
    }
}

extension PushService {
    func sealedDestination(with key: ServerSecret) throws -> String {
        try key.seal(try destination.stored(), context: Self.sealContext(id: id))
    }

    static func sealContext(id: Int64) -> String {
        "destination of push \(id)"
    }
}

extension ReplayClaim {
    static func sealContext(digest: String) -> String {
        "reply to request \(digest)"
    }
}

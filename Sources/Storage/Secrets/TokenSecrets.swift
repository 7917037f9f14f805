import Usher

// What a stream's tokens are signed with is sealed in the database, each text for its own stream and use.
extension StreamSettings {
    /// - Parameter secrets: hexadecimal, the one that signs first; nil: none of its own, which takes the salt along.
    public mutating func setTokenSecrets(_ secrets: [String]?, with key: ServerSecret) throws {
        sealedTokenSecrets = try secrets.map {
            try key.seal($0.joined(separator: "\n"), context: context("token secrets"))
        }
        if secrets == nil { sealedTokenSalt = nil }
    }

    /// - Parameter salt: nil or empty: none.
    public mutating func setTokenSalt(_ salt: String?, with key: ServerSecret) throws {
        sealedTokenSalt = try salt.flatMap { $0.isEmpty ? nil : $0 }.map {
            try key.seal($0, context: context("token salt"))
        }
    }

    /// What tokens of the stream are signed with; nil when it has no secrets of its own. Throws when they cannot be opened: they
    /// were sealed with another key, or for another stream.
    public func tokenRule(with key: ServerSecret) throws -> TokenRule? {
        guard let sealedTokenSecrets else { return nil }
        let secrets = try key.open(sealedTokenSecrets, context: context("token secrets")).split(separator: "\n")
        let salt = try sealedTokenSalt.map { try key.open($0, context: context("token salt")) }
        return TokenRule(secrets: secrets.compactMap { HDNEASecret(hexadecimal: String($0)) }, salt: salt)
    }

    private func context(_ use: String) -> String {
        "\(use) of stream \(app)/\(stream)"
    }
}

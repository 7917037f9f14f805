import Crypto

/// Makes and recognises challenges without remembering them: a challenge is a time and a message authentication code
/// over it and the user's name, so any node with the secret can check an answer that arrives on another connection.
public struct AdobeChallengeIssuer: Sendable {
    private let key: SymmetricKey

    /// - Parameter secret: known to every node that may get the answer.
    public init(secret: SymmetricKey) {
        key = secret
    }

    /// A challenge for `user`, to be sent both as `challenge` and as `opaque`: 40 hexadecimal digits.
    /// - Parameter now: Unix time in seconds.
    public func issue(user: String, now: UInt32) -> String {
        let time = hex(UInt64(now), digits: 8)
        return time + code(time, user)
    }

    /// Whether a challenge was issued with this secret, for this user, and is not older than `lifetime` seconds.
    public func isValid(_ challenge: String, user: String, now: UInt32, lifetime: UInt32 = 60) -> Bool {
        guard challenge.utf8.count == 40, let issued = UInt32(challenge.prefix(8), radix: 16),
            issued <= now, now - issued <= lifetime
        else { return false }
        let time = hex(UInt64(issued), digits: 8)
        return AdobeAuthentication.isEqual(challenge, time + code(time, user))
    }

    private func code(_ time: String, _ user: String) -> String {
        var hmac = HMAC<SHA256>(key: key)
        hmac.update(data: Array((time + user).utf8))
        return hmac.finalize().prefix(16).map { hex(UInt64($0), digits: 2) }.joined()
    }

    private func hex(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}

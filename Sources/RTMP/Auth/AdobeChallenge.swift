import Basics
import Crypto

/// Makes challenges and recognises them without remembering them. A challenge is a time, and a message authentication code
/// over that time and the user's name. So any node that knows the secret can check an answer, which arrives on another
/// connection than the challenge went out on.
public struct AdobeChallengeIssuer: Sendable {
    private let key: SymmetricKey

    /// - Parameter secret: every node that may get the answer must have the same.
    public init(secret: SymmetricKey) {
        key = secret
    }

    /// A challenge for `user`, to be sent both as `challenge` and as `opaque`: 40 hexadecimal digits.
    /// - Parameter now: Unix time in seconds.
    public func issue(user: String, now: UInt32) -> String {
        let time = now.padded(to: 8, radix: 16)
        return time + code(time, user)
    }

    /// Whether a challenge was issued with this secret, for this user, and is not older than `lifetime` seconds.
    public func isValid(_ challenge: String, user: String, now: UInt32, lifetime: UInt32 = 60) -> Bool {
        guard challenge.utf8.count == 40, let issued = UInt32(challenge.prefix(8), radix: 16),
            issued <= now, now - issued <= lifetime
        else { return false }
        let time = issued.padded(to: 8, radix: 16)
        return AdobeAuthentication.isEqual(challenge, time + code(time, user))
    }

    private func code(_ time: String, _ user: String) -> String {
        var hmac = HMAC<SHA256>(key: key)
        hmac.update(data: Array((time + user).utf8))
        return Hexadecimal.encode(hmac.finalize().prefix(16))
    }
}

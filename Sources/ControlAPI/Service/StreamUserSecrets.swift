import Crypto
import Foundation
import Storage

/// What is kept of a stream user's password.
public struct StreamUserVerifiers: Sendable, Hashable {
    /// bcrypt.
    public var passwordHash: String
    /// For Adobe's challenge authentication: base64(MD5(user + salt + password)), sealed.
    public var sealedChallengeVerifier: String
    public var challengeSalt: String

    public init(passwordHash: String, sealedChallengeVerifier: String, challengeSalt: String) {
        self.passwordHash = passwordHash
        self.sealedChallengeVerifier = sealedChallengeVerifier
        self.challengeSalt = challengeSalt
    }
}

/// Turns passwords into what may be stored.
public protocol StreamUserSecrets: Sendable {
    /// Takes tenths of a second, on a thread where nothing waits for it.
    func verifiers(user: String, password: String) async throws -> StreamUserVerifiers
}

/// The verifier of Adobe's challenge authentication.
enum AdobeVerifier {
    /// The far end proves that it knows this; so it is worth as much as the password and is only stored sealed. MD5 is the
    /// protocol's choice.
    static func make(user: String, salt: String, password: String) -> String {
        Data(Insecure.MD5.hash(data: Array((user + salt + password).utf8))).base64EncodedString()
    }

    /// 16 hexadecimal digits from a secure source.
    static func salt() -> String {
        var generator = SystemRandomNumberGenerator()
        let bits = generator.next()
        return HexDigit.text((0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64($0 * 8)) })
    }
}

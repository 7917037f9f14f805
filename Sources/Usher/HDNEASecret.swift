import Basics
import Crypto
import Foundation

/// The key that `hdnea` tokens are signed with. Not printable.
public struct HDNEASecret: Sendable, Hashable {
    private let key: SymmetricKey
    /// Tells secrets apart without showing them: 16 hexadecimal digits of a digest.
    let fingerprint: String
    /// The last four digits of the text, for whoever has to recognize it.
    public let hint: String

    /// From the hexadecimal text customers hold. nil when it is not an even number of 2-256 hexadecimal digits.
    public init?(hexadecimal text: String) {
        guard (2...256).contains(text.utf8.count), let bytes = Hexadecimal.decode(text) else { return nil }
        key = SymmetricKey(data: bytes)
        fingerprint = Hexadecimal.encode(SHA256.hash(data: Array("hdnea secret".utf8) + bytes).prefix(8))
        hint = "…" + Hexadecimal.encode(bytes.suffix(2))
    }

    public static func == (one: HDNEASecret, other: HDNEASecret) -> Bool {
        one.fingerprint == other.fingerprint
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(fingerprint)
    }

    func authenticationCode(for signed: String, salt: String?) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Self.message(signed, salt: salt), using: key)
    }

    /// In constant time.
    func isValid(_ code: [UInt8], for signed: String, salt: String?) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: Self.message(signed, salt: salt), using: key)
    }

    private static func message(_ signed: String, salt: String?) -> [UInt8] {
        guard let salt, !salt.isEmpty else { return Array(signed.utf8) }
        return Array("\(signed)~salt=\(salt)".utf8)
    }
}

/// What a stream's tokens are signed with.
public struct TokenRule: Sendable, Hashable {
    /// A token signed with any of them is good, so that one can take another's place while its tokens are still about. The
    /// server itself signs with the first.
    public var secrets: [HDNEASecret]
    /// Signed with the token and not sent in it; nil: none.
    public var salt: String?

    public init(secrets: [HDNEASecret], salt: String? = nil) {
        self.secrets = secrets
        self.salt = salt
    }

    /// Names what a token was signed with.
    func signer(_ secret: HDNEASecret) -> String {
        guard let salt, !salt.isEmpty else { return secret.fingerprint }
        return "\(secret.fingerprint)~\(Hexadecimal.encode(SHA256.hash(data: Array(salt.utf8)).prefix(8)))"
    }
}

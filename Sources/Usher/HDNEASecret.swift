import Basics
import Crypto
import Foundation

/// The key that `hdnea` tokens are signed with. Not printable.
public struct HDNEASecret: Sendable {
    private let key: SymmetricKey

    /// From the hexadecimal text customers hold. nil when it is not an even number of 2-256 hexadecimal digits.
    public init?(hexadecimal text: String) {
        guard (2...256).contains(text.utf8.count), let bytes = Hexadecimal.decode(text) else { return nil }
        key = SymmetricKey(data: bytes)
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

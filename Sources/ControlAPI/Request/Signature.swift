import Crypto
import Foundation

/// HMAC-SHA256 signatures over request texts; the key is the private key's ASCII text.
public enum Signature {
    /// The signature of `text` in base64.
    public static func sign(_ text: [UInt8], privateKey: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: text, using: key(privateKey))
        return Data(code).base64EncodedString()
    }

    /// The 32 bytes of a signature in standard base64; nil when it is not one.
    static func decode(_ signature: String) -> [UInt8]? {
        guard signature.utf8.count == 44, let data = Data(base64Encoded: signature), data.count == 32 else {
            return nil
        }
        return Array(data)
    }

    /// Whether `code` signs what the client may have signed, in constant time per candidate:
    /// the received text with the `signature` member cut out, or the object without it re-encoded in the received
    /// order in the style of PHP, of Ruby, Perl and JavaScript, or of Python. The re-encodings serve clients that
    /// serialise once to sign and again, differently, to send.
    static func verify(_ code: [UInt8], of document: JSONDocument, privateKey: String) -> Bool {
        let key = key(privateKey)
        if let text = document.textRemoving("signature"),
            HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: text, using: key)
        {
            return true
        }
        guard let object = document.root.objectValue?.removing("signature") else { return false }
        return [JSONWriter.Style.php, .raw, .python].contains { style in
            HMAC<SHA256>.isValidAuthenticationCode(
                code, authenticating: JSONWriter.write(object, style: style), using: key)
        }
    }

    private static func key(_ privateKey: String) -> SymmetricKey {
        SymmetricKey(data: Array(privateKey.utf8))
    }
}

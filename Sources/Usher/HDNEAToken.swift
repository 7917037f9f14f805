import Basics
import Crypto
import Foundation

/// A stateless playback token, `hdnea=exp=…~acl=…~hmac=…`: whoever holds the secret says who may watch without asking
/// the origin (`classic-api` notes §4).
public struct HDNEAToken: Sendable, Hashable {
    /// The viewer's address; nil: any.
    public var address: String?
    /// Good from this Unix time on; nil: at once.
    public var start: Int64?
    /// Good until this Unix time.
    public var expires: Int64?
    /// URL paths with `*` wildcards; nil: all of what the secret is for.
    public var acl: [String]?
    public var sessionID: String?
    /// The signer's own data, carried along unread.
    public var payload: String?

    public init(
        address: String? = nil, start: Int64? = nil, expires: Int64?, acl: [String]? = ["/*"],
        sessionID: String? = nil, payload: String? = nil
    ) {
        self.address = address
        self.start = start
        self.expires = expires
        self.acl = acl
        self.sessionID = sessionID
        self.payload = payload
    }

    /// Why a token does not admit.
    public enum Failure: Error, Sendable, Hashable {
        /// No token text, or a field twice, or a number that is none.
        case malformed
        case wrongHMAC
        case notYetValid
        /// Past its end, or without one: a token that is good for ever is taken for a mistake.
        case expired
        case pathNotAllowed
        case addressNotAllowed
    }

    /// Longest token looked at, in bytes.
    public static let maximumLength = 4096

    /// The token's text, `name=` included.
    ///
    /// - Parameters:
    ///   - name: `hdnea` for the short token in a URL, `hdntl` for the session's long one.
    ///   - salt: signed but not sent; nil or empty for none.
    public func text(name: String = "hdnea", secret: HDNEASecret, salt: String? = nil) -> String {
        var fields: [String] = []
        func add(_ name: String, _ value: String?) {
            if let value, !value.isEmpty { fields.append("\(name)=\(value)") }
        }
        add("ip", address)
        add("st", start.map(String.init))
        add("exp", expires.map(String.init))
        add("acl", acl?.joined(separator: "!"))
        add("id", sessionID)
        add("data", payload)
        let signed = fields.joined(separator: "~")
        let mac = Hexadecimal.encode(secret.authenticationCode(for: signed, salt: salt))
        return "\(name)=" + (fields + ["hmac=\(mac)"]).joined(separator: "~")
    }

    /// The token in `text` (with or without `name=`), once it has proved good: its signature first, then its times, then
    /// its paths, then its address.
    ///
    /// - Parameters:
    ///   - path: of the URL asked for, without query.
    ///   - address: the viewer's.
    public static func verify(
        _ text: String, secret: HDNEASecret, salt: String? = nil, path: String, address: String, now: Date
    ) throws(Failure) -> HDNEAToken {
        let received = try ReceivedHDNEAToken(text)
        guard received.isSigned(with: secret, salt: salt) else { throw .wrongHMAC }
        let token = try received.token()
        try token.check(path: path, address: address, now: now)
        return token
    }

    /// Throws the first thing for which a token with a right signature does not admit.
    public func check(path: String, address: String, now: Date) throws(Failure) {
        let seconds = now.timeIntervalSince1970
        if let start, seconds < Double(start) { throw .notYetValid }
        guard let expires, seconds < Double(expires) else { throw .expired }
        guard admits(path: path) else { throw .pathNotAllowed }
        guard admits(address: address) else { throw .addressNotAllowed }
    }

    public func admits(path: String) -> Bool {
        acl.map { $0.contains { Wildcard($0).matches(path) } } ?? true
    }

    public func admits(address text: String) -> Bool {
        guard let address else { return true }
        return IPAddress(address).map { $0 == IPAddress(text) } ?? false
    }
}

/// A token as it was received: taken apart, and nothing of it proved.
public struct ReceivedHDNEAToken: Sendable, Hashable {
    public typealias Failure = HDNEAToken.Failure

    /// `hdnea`, as in addresses, or `hdntl`, as in the session's cookie.
    public let name: String
    private let signed: String
    private let code: [UInt8]

    /// The names a token may have. The signature does not cover them.
    static let names = ["hdnea", "hdntl"]

    /// - Parameter text: with or without its name.
    /// - Throws: `malformed`.
    public init(_ text: String) throws(Failure) {
        guard text.utf8.count <= HDNEAToken.maximumLength else { throw .malformed }
        name = Self.names.first { text.hasPrefix("\($0)=") } ?? "hdnea"
        let body = text.hasPrefix("\(name)=") ? text.dropFirst(name.count + 1) : text[...]
        var fields = body.split(separator: "~", omittingEmptySubsequences: false)
        guard let last = fields.popLast(), last.hasPrefix("hmac="),
            let code = Hexadecimal.decode(String(last.dropFirst(5)))
        else { throw .malformed }
        self.code = code
        signed = fields.joined(separator: "~")
    }

    /// In constant time.
    public func isSigned(with secret: HDNEASecret, salt: String?) -> Bool {
        secret.isValid(code, for: signed, salt: salt)
    }

    /// Names the token without being good for anything else: 16 hexadecimal digits.
    var digest: String {
        Hexadecimal.encode(SHA256.hash(data: Array(signed.utf8) + code).prefix(8))
    }

    /// What it says.
    /// - Throws: `malformed`.
    public func token() throws(Failure) -> HDNEAToken {
        var values: [Substring: String] = [:]
        for field in signed.split(separator: "~", omittingEmptySubsequences: false) {
            guard let separator = field.firstIndex(of: "=") else { throw .malformed }
            let previous = values.updateValue(
                String(field[field.index(after: separator)...]), forKey: field[..<separator])
            guard previous == nil else { throw .malformed }
        }
        func number(_ name: Substring) throws(Failure) -> Int64? {
            guard let text = values[name] else { return nil }
            guard let value = Int64(text), value >= 0 else { throw .malformed }
            return value
        }
        return HDNEAToken(
            address: values["ip"], start: try number("st"), expires: try number("exp"),
            acl: values["acl"].map { $0.split(separator: "!").map(String.init) }, sessionID: values["id"],
            payload: values["data"])
    }
}

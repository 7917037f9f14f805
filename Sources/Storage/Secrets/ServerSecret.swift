import Crypto
import Foundation

/// The secret that this server (all nodes of one origin) keeps things under: 32 random bytes in `<folder>/secret.key`.
///
/// What is sealed can be read again only with the same file: it belongs into a backup, apart from the database's.
public struct ServerSecret: Sendable {
    private let sealingKey: SymmetricKey
    private let signingKey: SymmetricKey
    private let stateKey: SymmetricKey
    /// For messages.
    private var path = "this server's secret"

    public static let fileName = "secret.key"
    private static let length = 32

    /// From 32 bytes; nil for another number. Sealing and signing get keys of their own, derived from them.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.length else { return nil }
        let root = SymmetricKey(data: Array(bytes))
        func derive(_ purpose: String) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: root, info: Array("playhouse \(purpose)".utf8), outputByteCount: Self.length)
        }
        sealingKey = derive("seal")
        signingKey = derive("hmac")
        stateKey = derive("saved state")
    }

    /// Whether there is a secret in `folder`.
    public static func exists(folder: String) -> Bool {
        FileManager.default.fileExists(atPath: URL(fileURLWithPath: folder).appendingPathComponent(fileName).path)
    }

    /// Reads the secret in `folder`; the first start creates it (folder 0700, file 0600). Two processes that start at
    /// once get the same one. Throws `StoreError.failed` when it cannot be read or is not 32 bytes: a damaged secret is
    /// never replaced, since what was sealed with it would be lost.
    public static func load(folder: String) throws -> ServerSecret {
        try DataFolder.prepare(folder)
        let path = URL(fileURLWithPath: folder).appendingPathComponent(fileName).path
        if !FileManager.default.fileExists(atPath: path) { try create(path) }
        guard let bytes = FileManager.default.contents(atPath: path), var secret = ServerSecret(bytes: bytes) else {
            throw StoreError.failed("\(path) does not hold a secret of \(length) bytes, or cannot be read")
        }
        secret.path = path
        return secret
    }

    /// Written in full under another name first and then linked, which fails if somebody else was faster.
    private static func create(_ path: String) throws {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let draft = "\(path).\(UInt64.random(in: 0 ... .max, using: &generator))"
        defer { unlink(draft) }
        try DataFolder.writeFile(draft, bytes)
        guard link(draft, path) == 0 || errno == EEXIST else { throw StoreError.failed("\(path) cannot be created") }
    }

    /// `text` encrypted and authenticated (AES-GCM with a random nonce), as Base64. The same text is sealed differently
    /// every time.
    ///
    /// - Parameter context: what it is, such as `challenge verifier of user 5`; it must be given again to open it, so that
    ///   one sealed text cannot stand in for another.
    public func seal(_ text: String, context: String) throws -> String {
        let box = try AES.GCM.seal(Data(text.utf8), using: sealingKey, authenticating: Data(context.utf8))
        guard let combined = box.combined else { throw StoreError.failed("sealing gave nothing") }
        return "1:" + combined.base64EncodedString()
    }

    /// The text inside; throws when it was sealed with another secret or context, or was changed.
    public func open(_ sealed: String, context: String) throws -> String {
        guard sealed.hasPrefix("1:"), let combined = Data(base64Encoded: String(sealed.dropFirst(2))),
            let box = try? AES.GCM.SealedBox(combined: combined),
            let opened = try? AES.GCM.open(box, using: sealingKey, authenticating: Data(context.utf8)),
            let text = String(validating: opened, as: UTF8.self)
        else {
            throw StoreError.failed(
                "the \(context) cannot be opened with \(path): it was sealed with another key; restore that file from a backup"
            )
        }
        return text
    }

    /// HMAC-SHA256 of `text`: 32 bytes.
    public func hmac(_ text: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: signingKey))
    }

    /// Begins the code that says of what a process leaves for the next that it is this server's own, and whole.
    public func stateCode() -> StateCode {
        StateCode(hmac: HMAC(key: stateKey))
    }

    /// HMAC-SHA256 of bytes that come one after the other.
    public struct StateCode: ~Copyable {
        public static let length = 32
        private var hmac: HMAC<SHA256>

        fileprivate init(hmac: HMAC<SHA256>) {
            self.hmac = hmac
        }

        public mutating func update(_ bytes: UnsafeRawBufferPointer) {
            hmac.update(data: bytes)
        }

        public consuming func finish() -> [UInt8] {
            Array(hmac.finalize())
        }
    }
}

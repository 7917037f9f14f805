import Foundation
import Storage
import Testing
import Usher

@Suite("What the server's secret seals and signs")
struct SealTests {
    private let secret = ServerSecret(bytes: Array(0..<32))

    @Test("The first start creates a folder for the server alone, and each folder has its own secret")
    func created() async throws {
        try await withTemporaryFolder { parent in
            let first = try ServerSecret.load(folder: parent + "/one")
            let attributes = try FileManager.default.attributesOfItem(atPath: parent + "/one")
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o700)
            let other = try ServerSecret.load(folder: parent + "/two")
            #expect(other.hmac("x") != first.hmac("x"))
            #expect(throws: StoreError.self) { try other.open(first.seal("text", context: "c"), context: "c") }
        }
    }

    @Test("A sealed text that was changed anywhere does not open", arguments: ["", "text", "ü\u{0}🎬"])
    func changed(text: String) throws {
        let secret = try #require(secret)
        let sealed = try secret.seal(text, context: "c")
        #expect(try secret.open(sealed, context: "c") == text)
        let box = try #require(Data(base64Encoded: String(sealed.dropFirst(2))))
        for index in box.indices {
            var changed = box
            changed[index] ^= 1
            #expect(throws: StoreError.self) { try secret.open("1:" + changed.base64EncodedString(), context: "c") }
        }
        #expect(throws: StoreError.self) { try secret.open("2:" + sealed.dropFirst(2), context: "c") }
    }

    @Test("A stream's secrets and salt open for that stream and that use only")
    func tokenSecrets() throws {
        let (secret, other) = (try #require(secret), try #require(ServerSecret(bytes: Array(1..<33))))
        let texts = ["aabbccddeeff00112233445566778899", "00112233445566778899aabbccddeeff"]
        var row = StreamSettings(accountID: 1, app: "demo-origin", stream: "show", created: Date())
        #expect(try row.tokenRule(with: secret) == nil)
        try row.setTokenSecrets(texts, with: secret)
        try row.setTokenSalt("pepper", with: secret)
        let expected = TokenRule(secrets: texts.compactMap { HDNEASecret(hexadecimal: $0) }, salt: "pepper")
        #expect(try row.tokenRule(with: secret) == expected)
        #expect(throws: StoreError.self) { try row.tokenRule(with: other) }
        var twin = row
        twin.stream = "twin"
        #expect(throws: StoreError.self) { try twin.tokenRule(with: secret) }
        twin = row
        twin.app = "other-origin"
        #expect(throws: StoreError.self) { try twin.tokenRule(with: secret) }
        twin = row
        twin.sealedTokenSalt = row.sealedTokenSecrets
        #expect(throws: StoreError.self) { try twin.tokenRule(with: secret) }
        // Without secrets there is nothing that the salt goes with.
        try row.setTokenSecrets(nil, with: secret)
        #expect(row.sealedTokenSalt == nil)
    }

    /// HKDF-SHA256 without salt, then HMAC-SHA256, computed with Python's `hmac`.
    @Test("Signatures are HMAC-SHA256 under a key derived for it, the same in every version")
    func signature() throws {
        let secret = try #require(secret)
        let hexadecimal = secret.hmac("text").map { String(format: "%02x", $0) }.joined()
        #expect(hexadecimal == "005ac0198485a29751ef3402864107dac00337fe1ef8c256c109451d3dcd83d0")
    }
}

@Suite("Generated keys")
struct GeneratedKeyTests {
    @Test("Keys are never the same, and use their whole alphabets")
    func generated() {
        let keys = (0..<200).map { _ in APIKey.generate(accountID: 3, rights: .read, label: "l", now: at(0)) }
        for key in keys {
            #expect(key.apiKey.wholeMatch(of: /APX[A-Z0-9]{29}/) != nil)
            #expect(key.privateKey.wholeMatch(of: /[0-9a-f]{64}/) != nil)
            #expect(key.id == 0 && key.accountID == 3 && key.rights == .read && key.label == "l")
            #expect(key.created == at(0) && key.revoked == nil)
        }
        #expect(Set(keys.map(\.apiKey)).count == 200)
        #expect(Set(keys.map(\.privateKey)).count == 200)
        #expect(Set(keys.flatMap { $0.apiKey.dropFirst(3) }).count == 36)
        #expect(Set(keys.flatMap(\.privateKey)).count == 16)
    }
}

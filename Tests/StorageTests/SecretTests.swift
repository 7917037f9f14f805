import Foundation
import Storage
import Testing

@Suite struct PasswordTests {
    @Test("A password that was hashed is verified")
    func verifiesWhatItHashed() throws {
        let hash = try Password.hash("gehëim")
        #expect(hash.hasPrefix("$2b$10$") && hash.utf8.count == 60)
        #expect(Password.verify("gehëim", hash: hash))
        #expect(!Password.verify("geheim", hash: hash))
        #expect(!Password.verify("", hash: hash))
        #expect(try Password.hash("gehëim") != hash)
    }

    /// Made by PHP: `password_hash('gehëim', PASSWORD_BCRYPT, ['cost' => 5])`.
    @Test("Hashes made by other programs are verified")
    func verifiesForeignHashes() {
        let hash = "$2y$05$zXQMbdjY/dG.ndnHpmlq6uVq/xpR08nM3H6RBFqiexrP7Zp3aF25S"
        #expect(Password.verify("gehëim", hash: hash))
        #expect(!Password.verify("geheim", hash: hash))
    }

    @Test("Passwords have limits")
    func setsLimits() throws {
        #expect(throws: Password.Failure.tooLong) { try Password.hash(String(repeating: "a", count: 73)) }
        #expect(throws: Password.Failure.empty) { try Password.hash("") }
        #expect(throws: Password.Failure.containsNUL) { try Password.hash("a\u{0}b") }
        let long = String(repeating: "a", count: 72)
        let hash = try Password.hash(long)
        #expect(Password.verify(long, hash: hash))
        #expect(!Password.verify(long + "b", hash: hash))
    }

    @Test(
        "Hashes of other kinds never verify",
        arguments: ["", "*0", "$1$abc$def", "$2b$10$short", "$6$" + String(repeating: "a", count: 57)])
    func otherHashesNeverVerify(hash: String) {
        #expect(!Password.verify("x", hash: hash))
    }
}

@Suite struct ServerSecretTests {
    @Test("The server's secret is made once and kept")
    func isMadeOnceAndKept() async throws {
        try await withFolder { folder in
            let first = try ServerSecret.load(folder: folder)
            let path = folder + "/secret.key"
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(attributes[.size] as? Int == 32)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["secret.key"])
            let second = try ServerSecret.load(folder: folder)
            #expect(first.hmac("x") == second.hmac("x"))
            #expect(first.hmac("x") != first.hmac("y"))
            #expect(try second.open(first.seal("verifier", context: "c"), context: "c") == "verifier")
        }
    }

    @Test("Many that ask for the secret at once get the same")
    func manyAtOnceGetTheSame() async throws {
        try await withFolder { folder in
            let codes = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<20 { group.addTask { try ServerSecret.load(folder: folder).hmac("x") } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(codes.count == 1)
        }
    }

    @Test("A damaged secret is not replaced")
    func aDamagedOneIsNotReplaced() async throws {
        try await withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let path = URL(fileURLWithPath: folder + "/secret.key")
            try Data(repeating: 1, count: 31).write(to: path)
            #expect(throws: StoreError.self) { try ServerSecret.load(folder: folder) }
            #expect(try Data(contentsOf: path).count == 31)
        }
    }

    @Test("Seals are opened with their secret and context only")
    func sealsAreOpenedWithSecretAndContextOnly() throws {
        let secret = try #require(ServerSecret(bytes: Array(0..<32)))
        let other = try #require(ServerSecret(bytes: Array(1..<33)))
        let sealed = try secret.seal("größe", context: "a")
        #expect(try secret.open(sealed, context: "a") == "größe")
        #expect(try secret.seal("größe", context: "a") != sealed)
        #expect(throws: StoreError.self) { try secret.open(sealed, context: "b") }
        #expect(throws: StoreError.self) { try other.open(sealed, context: "a") }
        for damaged in ["", "1:", "1:AAAA", "x" + sealed, String(sealed.dropLast(4))] {
            #expect(throws: StoreError.self) { try secret.open(damaged, context: "a") }
        }
        #expect(ServerSecret(bytes: [1, 2, 3]) == nil)
    }
}

@Suite struct APIKeyTests {
    @Test("API keys have the documented form")
    func keysHaveTheDocumentedForm() {
        let key = APIKey.generate(accountID: 158, rights: .full, label: "first", now: Sample.now)
        #expect(key.apiKey.wholeMatch(of: /APX[A-Z0-9]{29}/) != nil)
        #expect(key.privateKey.wholeMatch(of: /[0-9a-f]{64}/) != nil)
        #expect(APIKey.generate(accountID: 158, rights: .full, label: "", now: Sample.now).apiKey != key.apiKey)
    }
}

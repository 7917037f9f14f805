import Foundation
import StoreSupport
import Testing

@testable import Storage

/// What is secret stands sealed in the database, each text for its own row.
struct SealedColumnsTests {
    private static let privateKey = String(repeating: "0123456789abcdef", count: 4)
    private static let key = APIKey(
        accountID: 1, apiKey: "APXSEALED", privateKey: privateKey, rights: .full, label: "", created: at(0))
    private static let push = PushService(
        accountID: 1, name: "tv", service: "rtmp", autopush: true,
        destination: ["dst_host": "live.example.com", "dst_stream": "stream-key-of-a-platform"], created: at(0),
        updated: at(0))
    private static let reply = #"{"pass":"pass-of-a-viewer"}"#
    private static let secrets = [privateKey, "stream-key-of-a-platform", "pass-of-a-viewer"]

    /// Those of `texts` that stand in the database's files as they are.
    private func inClear(_ texts: [String], _ folder: String) throws -> [String] {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.hasPrefix(SQLiteStore.fileName)
        }
        #expect(!files.isEmpty)
        let bytes = try files.map { try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)")) }
        return texts.filter { text in bytes.contains { $0.range(of: Data(text.utf8)) != nil } }
    }

    /// - Returns: the push as it is stored.
    private func fill(_ store: SQLiteStore) async throws -> PushService {
        try await store.insertAccount(.demo)
        _ = try await store.insertKey(Self.key)
        let push = try await store.insertPush(Self.push)
        _ = try await store.beginReplay(digest: "d", now: at(0), expires: at(600))
        try await store.finishReplay(digest: "d", reply: Self.reply)
        return push
    }

    private func check(_ store: SQLiteStore, _ push: PushService) async throws {
        #expect(try await store.key(apiKey: "APXSEALED")?.privateKey == Self.privateKey)
        #expect(try await store.keys(accountID: 1).map(\.privateKey) == [Self.privateKey])
        #expect(try await store.push(id: push.id, accountID: 1) == push)
        #expect(try await store.pushes(accountID: 1) == [push])
        #expect(try await store.autopushes(app: "demo-origin", instance: "live", stream: "s") == [push])
        #expect(try await store.beginReplay(digest: "d", now: at(1), expires: at(601)) == .answered(Self.reply))
    }

    @Test("Private keys, destinations of pushes and replies do not stand in the files as they are, and are read again")
    func sealed() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            var push = try await fill(store)
            push.destination["dst_stream"] = "another-stream-key"
            #expect(try await store.updatePush(push))
            try await check(store, push)
            #expect(try inClear(Self.secrets + ["another-stream-key"], folder) == [])
            try await store.close()
            #expect(try inClear(Self.secrets + ["another-stream-key"], folder) == [])
            let again = try await SQLiteStore.openForTest(folder: folder)
            try await check(again, push)
            try await again.close()
        }
    }

    @Test("What a database from before has in clear is sealed when it is opened, and nothing of it stays behind")
    func fromBefore() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            let push = try await fill(store)
            let secret = try ServerSecret.load(folder: folder)
            let user = try await store.insertStreamUser(
                StreamUser(
                    accountID: 1, app: "demo-origin", stream: "s", user: "ann", passwordHash: "$2b$",
                    sealedChallengeVerifier: try secret.seal("verifier", context: ""), challengeSalt: "salt",
                    created: at(0)))
            let stored = try Self.push.destination.stored()
            try await store.write { database in
                try database.run("UPDATE api_keys SET private_key = ?", [Self.privateKey])
                try database.run("UPDATE pushes SET destination = ?", [stored])
                try database.run("UPDATE replays SET reply = ?", [Self.reply])
                try database.run("DELETE FROM grdb_migrations WHERE identifier = '051 sealed secrets'")
            }
            #expect(try inClear(Self.secrets, folder) == Self.secrets)
            try await store.close()

            let again = try await SQLiteStore.openForTest(folder: folder)
            try await check(again, push)
            let found = try #require(try await again.streamUser(id: user.id))
            #expect(try found.challengeVerifier(with: secret) == "verifier")
            #expect(found.sealedChallengeVerifier != user.sealedChallengeVerifier)
            #expect(try inClear(Self.secrets, folder) == [])
            try await again.close()
        }
    }

    @Test("A sealed text is good for its own row only")
    func rows() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            let push = try await fill(store)
            var other = Self.key
            other.apiKey = "APXOTHER"
            _ = try await store.insertKey(other)
            let second = try await store.insertPush(Self.push)
            try await store.write { database in
                try database.run(
                    """
                    UPDATE api_keys SET private_key = (SELECT private_key FROM api_keys WHERE api_key = 'APXSEALED')
                    """)
                try database.run(
                    "UPDATE pushes SET destination = (SELECT destination FROM pushes WHERE id = ?)", [push.id])
            }
            #expect(try await store.key(apiKey: "APXSEALED") != nil)
            await #expect(throws: StoreError.self) { try await store.key(apiKey: "APXOTHER") }
            await #expect(throws: StoreError.self) { try await store.push(id: second.id, accountID: 1) }
            // A verifier is one user's.
            let secret = try ServerSecret.load(folder: folder)
            var ann = StreamUser(
                accountID: 1, app: "demo-origin", stream: "s", user: "ann", passwordHash: nil, created: at(0))
            try ann.setChallengeVerifier("v", with: secret)
            var bob = ann
            bob.user = "bob"
            #expect(throws: StoreError.self) { try bob.challengeVerifier(with: secret) }
            bob = ann
            bob.stream = "t"
            #expect(throws: StoreError.self) { try bob.challengeVerifier(with: secret) }
            try await store.close()
        }
    }

    @Test("Without its key file a sealed text is an error that names the file")
    func lostKey() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            #expect(try await store.holdsSealed() == false)
            let push = try await fill(store)
            #expect(try await store.holdsSealed())
            try await store.close()
            try FileManager.default.removeItem(atPath: "\(folder)/\(ServerSecret.fileName)")
            let again = try await SQLiteStore.openForTest(folder: folder)
            #expect(try await again.accounts() == [.demo])
            func words(_ what: String) -> StoreError {
                .failed(
                    "the \(what) cannot be opened with \(folder)/secret.key: it was sealed with another key; "
                        + "restore that file from a backup")
            }
            await #expect(throws: words("private key of API key APXSEALED")) {
                try await again.key(apiKey: "APXSEALED")
            }
            await #expect(throws: words("destination of push \(push.id)")) { try await again.pushes(accountID: 1) }
            await #expect(throws: words("reply to request d")) {
                try await again.beginReplay(digest: "d", now: at(1), expires: at(601))
            }
            // What is made from now on is sealed with the new key.
            var other = Self.key
            other.apiKey = "APXOTHER"
            _ = try await again.insertKey(other)
            #expect(try await again.key(apiKey: "APXOTHER")?.privateKey == Self.privateKey)
            try await again.close()
        }
    }
}

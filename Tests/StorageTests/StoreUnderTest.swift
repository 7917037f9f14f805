import Basics
import Foundation
import Storage
import StoreSupport
import Testing
import Usher

/// A kind of store that the conformance suite is run against. Another implementation joins by one more entry in `all`.
struct StoreUnderTest: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Opens an empty store, runs the test with it and removes what it kept.
    var run: @Sendable (@Sendable (any Store) async throws -> Void) async throws -> Void

    static let all = [
        StoreUnderTest(testDescription: "SQLite") { test in
            try await withFolder { folder in
                let store = try await SQLiteStore.openForTest(folder: folder)
                try await test(store)
                try await store.close()
            }
        }
    ]

    /// With the accounts 7 (`demo`) and 8 (`other`).
    func withAccounts(_ test: @escaping @Sendable (any Store) async throws -> Void) async throws {
        try await run { store in
            try await store.insertAccount(Account(id: 7, user: "demo", created: Sample.now))
            try await store.insertAccount(Account(id: 8, user: "other", created: Sample.now))
            try await test(store)
        }
    }
}

/// Runs `body` with a new empty folder, which is gone afterwards.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("playhouse-test-\(UUID())")
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder.path)
}

enum Sample {
    static let now = Date(timeIntervalSince1970: 1_700_000_000)

    static func ticket(
        key: String = "mystream.1", accountID: AccountID = 7, ip: String = "0.0.0.0/0", app: String = "demo-*",
        video: String = "mystream", uses: Int = 10, lifetime: TimeInterval = 3600
    ) -> Ticket {
        Ticket(
            accountID: accountID, key: key, pass: "secret", ip: ip, app: app, video: video, uses: uses, created: now,
            expires: now.addingTimeInterval(lifetime))
    }

    static func facts(
        key: String? = "mystream.1", pass: String? = "secret", address: String = "203.0.113.9",
        app: String = "demo-origin", video: String = "mystream"
    ) -> ViewerFacts {
        ViewerFacts(
            key: key, pass: pass, address: address, app: app, instance: "live", video: video,
            pageURL: "https://example.com/page", referrerURL: "https://example.com/", serverAddress: "192.0.2.1")
    }

    static func request(
        _ facts: ViewerFacts = facts(), after seconds: TimeInterval = 0, joining window: TimeInterval? = 60,
        id: String = UUID().uuidString
    ) -> AdmissionRequest {
        AdmissionRequest(
            facts: facts, accountID: 7, now: now.addingTimeInterval(seconds), sessionID: id, joinWindow: window)
    }
}

extension Verdict<AdmittedSession> {
    var isOpened: Bool {
        grant?.isNew == true
    }

    var joinedID: String? {
        grant.flatMap { $0.isNew ? nil : $0.id }
    }
}

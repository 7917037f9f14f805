import Basics
import Foundation
import StoreSupport
import Testing
import Usher

@testable import Storage

/// The stores that must pass the conformance suite, each over real files.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite

    var testDescription: String { rawValue }

    /// Runs `body` on a new, empty store and closes it, whatever happens.
    func run(_ body: (any Store) async throws -> Void) async throws {
        switch self {
        case .sqlite:
            try await withTemporaryFolder { folder in
                let store = try await SQLiteStore.openForTest(folder: folder)
                do {
                    try await body(store)
                } catch {
                    try? await store.close()
                    throw error
                }
                try await store.close()
            }
        }
    }

    /// The same, with the accounts 1 `demo` and 2 `other`.
    func runWithAccounts(_ body: (any Store) async throws -> Void) async throws {
        try await run { store in
            try await store.insertAccount(.demo)
            try await store.insertAccount(.other)
            try await body(store)
        }
    }
}

/// Gives `body` an empty folder that is gone afterwards.
func withTemporaryFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("storage-tests-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder.path)
}

/// Seconds after the moment at which the tests begin; thirds of a second are in it, so that rounding would show.
func at(_ seconds: Double) -> Date {
    Date(timeIntervalSince1970: 1_800_000_000.333333 + seconds)
}

extension Account {
    static var demo: Account { Account(id: 1, user: "demo", created: at(-1000)) }
    static var other: Account { Account(id: 2, user: "other", created: at(-999)) }
}

extension Ticket {
    static func sample(
        accountID: AccountID = 1, key: String = "k1", pass: String = "secret", ip: String = "0.0.0.0/0",
        app: String = "demo-*",
        video: String = "*", uses: Int = 10, maximumSessions: Int = 0, expires: Date = at(3600)
    ) -> Ticket {
        Ticket(
            accountID: accountID, key: key, pass: pass, ip: ip, app: app, video: video, uses: uses,
            maximumSessions: maximumSessions, created: at(-10), expires: expires)
    }
}

extension ViewerFacts {
    static func sample(
        key: String? = "k1", pass: String? = "secret", address: String = "192.0.2.1", app: String = "demo-origin",
        video: String = "show"
    ) -> ViewerFacts {
        ViewerFacts(
            key: key, pass: pass, address: address, app: app, instance: "_definst_", video: video,
            pageURL: "https://example.com/page", referrerURL: "https://example.com/", serverAddress: "198.51.100.9")
    }
}

extension AdmissionRequest {
    static func sample(
        _ facts: ViewerFacts = .sample(), accountID: AccountID = 1, now: Date = at(0), id: String = SessionID.make(),
        joinWindow: TimeInterval? = nil
    ) -> AdmissionRequest {
        AdmissionRequest(facts: facts, accountID: accountID, now: now, sessionID: id, joinWindow: joinWindow)
    }
}

extension Attempt {
    static func refusal(
        _ facts: ViewerFacts = .sample(), accountID: AccountID = 1, date: Date = at(0),
        reason: RefusalReason = .wrongPass
    ) -> Attempt {
        Attempt(accountID: accountID, date: date, facts: facts, isSuccess: false, reason: reason.rawValue)
    }
}

extension Verdict<AdmittedSession> {
    /// The ticket after it was opened; nil for any other outcome.
    var openedTicket: Ticket? {
        grant.flatMap { $0.isNew ? $0.ticket : nil }
    }
}

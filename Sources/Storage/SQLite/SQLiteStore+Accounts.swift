import Basics
import Foundation
import GRDB

extension SQLiteStore {
    public func insertAccount(_ account: Account) async throws {
        try await write { database in
            try StoreError.duplicate("account \(account.user) with CDN id \(account.id)") {
                try database.run(
                    "INSERT INTO accounts (cdn, user, suspension, created) VALUES (?, ?, ?, ?)",
                    [account.id, account.user, account.suspension, account.created.stored])
            }
        }
    }

    public func account(id: AccountID) async throws -> Account? {
        try await readBriefly { try Self.account(id: id, in: $0) }
    }

    private static func account(id: AccountID, in database: Database) throws -> Account? {
        try database.first("SELECT * FROM accounts WHERE cdn = ? AND deleted IS NULL", [id]).map(Account.init)
    }

    public func account(user: String) async throws -> Account? {
        try await read { try Self.account(user: user, in: $0) }
    }

    public func accounts() async throws -> [Account] {
        try await read {
            try $0.all("SELECT * FROM accounts WHERE deleted IS NULL ORDER BY cdn").map(Account.init)
        }
    }

    public func account(owningApp app: String) async throws -> Account? {
        try await readBriefly { try Self.account(owningApp: app, in: $0) }
    }

    /// Tries what stands before each hyphen, the longest first. Names have few; no more than 16 are looked at.
    static func account(owningApp app: String, in database: Database) throws -> Account? {
        let bytes = Array(app.utf8)
        let hyphens = bytes.indices.filter { bytes[$0] == UInt8(ascii: "-") && $0 > 0 }
        for hyphen in hyphens.prefix(16).reversed() {
            let user = String(decoding: bytes[..<hyphen], as: UTF8.self)
            if let account = try account(user: user, in: database) { return account }
        }
        return nil
    }

    private static func account(user: String, in database: Database) throws -> Account? {
        try database.first("SELECT * FROM accounts WHERE user = ? AND deleted IS NULL", [user]).map(Account.init)
    }

    public func setSuspension(accountID: AccountID, _ suspension: String?) async throws {
        try await write { database in
            let changed = try database.run(
                "UPDATE accounts SET suspension = ? WHERE cdn = ? AND deleted IS NULL", [suspension, accountID])
            guard changed > 0 else {
                throw StoreError.notFound("account with CDN id \(accountID)")
            }
        }
    }

    public func contents(accountID: AccountID) async throws -> AccountContents {
        try await read { database in
            func count(_ table: String, _ condition: String = "1") throws -> Int {
                try database.first(
                    "SELECT count(*) AS count FROM \(table) WHERE cdn = ? AND \(condition)", [accountID])?.int("count")
                    ?? 0
            }
            return AccountContents(
                keys: try count("api_keys", "revoked IS NULL"), streams: try count("streams"),
                streamUsers: try count("stream_users"), tickets: try count("tickets"), pushes: try count("pushes"))
        }
    }

    public func deleteAccount(id: AccountID, at date: Date) async throws {
        try await write { database in
            // The row stays, so that its number is never given again, and what is not removed yet belongs to something. No account
            // can have such a name. The date is the place in the order of deletions, whatever becomes of the clock.
            let deleted = try database.run(
                """
                UPDATE accounts SET user = cdn || ' deleted', suspension = NULL,
                    deleted = max(?, (SELECT ifnull(max(deleted), 0) + 1 FROM accounts))
                WHERE cdn = ? AND deleted IS NULL
                """, [date.stored, id])
            guard deleted > 0 else { throw StoreError.notFound("account with CDN id \(id)") }
            for table in Self.tablesOfAccess {
                try database.run("DELETE FROM \(table) WHERE cdn = ?", [id])
            }
            try Self.settingsChanged(in: database)
        }
    }

    /// What lets anybody in or out. Goes with the account itself; users before the streams they belong to.
    private static let tablesOfAccess = ["api_keys", "stream_users", "streams", "pushes"]
    /// What there may be very much of.
    private static let tablesOfHistory = ["tickets", "origin_events", "usage_days", "viewer_minutes"]

    public func deletedAccounts(after position: Int64) async throws -> [DeletedAccount] {
        try await read { database in
            try database.all("SELECT cdn, deleted FROM accounts WHERE deleted > ? ORDER BY deleted", [position]).map {
                DeletedAccount(id: try $0.account("cdn"), position: try $0.integer("deleted"))
            }
        }
    }

    @discardableResult
    public func removeDeletedAccounts() async throws -> Int {
        var removed = 0
        // A server, or a command that was under way, may have written more for an account that was deleted meanwhile.
        for table in Self.tablesOfAccess + Self.tablesOfHistory {
            let left = try await read { database in
                try database.all(
                    """
                    SELECT cdn FROM accounts WHERE deleted IS NOT NULL
                    AND EXISTS (SELECT 1 FROM \(table) WHERE \(table).cdn = accounts.cdn)
                    """
                ).map { try $0.account("cdn") }
            }
            let columns = Self.primaryKeys[table] ?? "id"
            for id in left {
                removed += try await batcher.runInSteps(
                    "DELETE FROM \(table) WHERE (\(columns)) IN (SELECT \(columns) FROM \(table) WHERE cdn = ? LIMIT ?)",
                    [id])
            }
        }
        return removed
    }

    /// Of tables without an `id`.
    private static let primaryKeys = [
        "usage_days": "cdn, day, app, stream, instance, delivery, server",
        "viewer_minutes": "cdn, app, stream, minute, instance, server",
    ]

    public func insertKey(_ key: APIKey) async throws -> APIKey {
        let sealed = try secret.seal(key.privateKey, context: APIKey.sealContext(key.apiKey))
        return try await write { database in
            try StoreError.duplicate("API key") {
                try database.run(
                    """
                    INSERT INTO api_keys (cdn, api_key, private_key, rights, label, created, revoked)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                    [
                        key.accountID, key.apiKey, sealed, key.rights.rawValue, key.label, key.created.stored,
                        key.revoked?.stored,
                    ])
            }
            var key = key
            key.id = database.lastInsertedRowID
            return key
        }
    }

    public func keyAndAccount(apiKey: String) async throws -> (key: APIKey, account: Account)? {
        let secret = secret
        return try await readBriefly { database in
            let key = try database.first("SELECT * FROM api_keys WHERE api_key = ?", [apiKey]).map {
                try APIKey($0, secret)
            }
            // SQLite looks for what stands before a NUL.
            guard let key, key.apiKey == apiKey,
                let account = try Self.account(id: key.accountID, in: database)
            else { return nil }
            return (key, account)
        }
    }

    public func keys(accountID: AccountID) async throws -> [APIKey] {
        let secret = secret
        return try await read { database in
            try database.all("SELECT * FROM api_keys WHERE cdn = ? ORDER BY id", [accountID]).map {
                try APIKey($0, secret)
            }
        }
    }

    public func revokeKey(apiKey: String, at date: Date) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE api_keys SET revoked = ? WHERE api_key = ? AND revoked IS NULL", [date.stored, apiKey]) > 0
        }
    }
}

extension Account {
    init(_ row: StoredRow) throws {
        self.init(
            id: try row.account("cdn"), user: try row.text("user"), suspension: try row.optionalText("suspension"),
            created: try row.date("created"))
    }
}

extension APIKey {
    init(_ row: StoredRow, _ secret: ServerSecret) throws {
        let apiKey = try row.text("api_key")
        self.init(
            id: try row.integer("id"), accountID: try row.account("cdn"), apiKey: apiKey,
            privateKey: try secret.open(try row.text("private_key"), context: APIKey.sealContext(apiKey)),
            rights: try row.choice("rights"), label: try row.text("label"),
            created: try row.date("created"), revoked: try row.optionalDate("revoked"))
    }
}

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
        try await readBriefly { database in
            try database.first("SELECT * FROM accounts WHERE cdn = ?", [id]).map(Account.init)
        }
    }

    public func account(user: String) async throws -> Account? {
        try await read { try Self.account(user: user, in: $0) }
    }

    public func accounts() async throws -> [Account] {
        try await read { try $0.all("SELECT * FROM accounts ORDER BY cdn").map(Account.init) }
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
        try database.first("SELECT * FROM accounts WHERE user = ?", [user]).map(Account.init)
    }

    public func setSuspension(accountID: AccountID, _ suspension: String?) async throws {
        try await write { database in
            guard try database.run("UPDATE accounts SET suspension = ? WHERE cdn = ?", [suspension, accountID]) > 0
            else {
                throw StoreError.notFound("account with CDN id \(accountID)")
            }
        }
    }

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

    public func key(apiKey: String) async throws -> APIKey? {
        let secret = secret
        return try await readBriefly { database in
            let found = try database.first("SELECT * FROM api_keys WHERE api_key = ?", [apiKey]).map {
                try APIKey($0, secret)
            }
            // SQLite looks for what stands before a NUL.
            return found?.apiKey == apiKey ? found : nil
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

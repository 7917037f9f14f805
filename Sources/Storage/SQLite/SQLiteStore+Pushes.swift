import Basics
import Foundation
import GRDB

extension SQLiteStore {
    static func insert(_ push: PushService, with secret: ServerSecret, in database: Database) throws -> PushService {
        try StoreError.duplicate("push") {
            try database.run(
                """
                INSERT INTO pushes (
                    cdn, name, service, app, instance, stream, autopush, adaptive_group, push_source, destination,
                    created, updated
                ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    push.accountID, push.name, push.service, push.app, push.instance, push.stream, push.autopush,
                    push.adaptiveGroup, push.pushSource, "", push.created.stored, push.updated.stored,
                ])
        }
        var push = push
        push.id = database.lastInsertedRowID
        // It is sealed for the row's number.
        try database.run(
            "UPDATE pushes SET destination = ? WHERE id = ?", [try push.sealedDestination(with: secret), push.id])
        return push
    }

    public func push(id: Int64, accountID: AccountID) async throws -> PushService? {
        let secret = secret
        return try await read { try Self.push(id: id, of: accountID, with: secret, in: $0) }
    }

    static func push(id: Int64, of accountID: AccountID, with secret: ServerSecret, in database: Database) throws
        -> PushService?
    {
        try database.first("SELECT * FROM pushes WHERE id = ? AND cdn = ?", [id, accountID]).map {
            try PushService($0, secret)
        }
    }

    public func pushes(accountID: AccountID) async throws -> [PushService] {
        let secret = secret
        return try await read { database in
            try database.all("SELECT * FROM pushes WHERE cdn = ? ORDER BY id", [accountID]).map {
                try PushService($0, secret)
            }
        }
    }

    public func autopushes(app: String, instance: String, stream: String) async throws -> [PushService] {
        let secret = secret
        return try await read { database in
            guard let account = try Self.account(owningApp: app, in: database) else { return [] }
            return try database.all(
                """
                SELECT * FROM pushes
                WHERE cdn = ? AND autopush = 1 AND (app IS NULL OR app = ?) AND (instance IS NULL OR instance = ?)
                    AND (stream IS NULL OR stream = ?)
                ORDER BY id
                """,
                [account.id, app, instance, stream]
            ).map { try PushService($0, secret) }
        }
    }

    static func update(_ push: PushService, with secret: ServerSecret, in database: Database) throws -> Bool {
        try database.run(
            """
            UPDATE pushes SET name = ?, service = ?, app = ?, instance = ?, stream = ?, autopush = ?,
                adaptive_group = ?, push_source = ?, destination = ?, updated = ?
            WHERE id = ? AND cdn = ?
            """,
            [
                push.name, push.service, push.app, push.instance, push.stream, push.autopush, push.adaptiveGroup,
                push.pushSource, try push.sealedDestination(with: secret), push.updated.stored, push.id, push.accountID,
            ]) > 0
    }
}

extension PushService {
    init(_ row: StoredRow, _ secret: ServerSecret) throws {
        let id = try row.integer("id")
        let destination = try secret.open(try row.text("destination"), context: PushService.sealContext(id: id))
        self.init(
            id: id, accountID: try row.account("cdn"), name: try row.text("name"),
            service: try row.text("service"), app: try row.optionalText("app"),
            instance: try row.optionalText("instance"), stream: try row.optionalText("stream"),
            autopush: try row.flag("autopush"), adaptiveGroup: try row.optionalText("adaptive_group"),
            pushSource: try row.flag("push_source"), destination: try StoredRow.map(destination, of: "destination"),
            created: try row.date("created"), updated: try row.date("updated"))
    }
}

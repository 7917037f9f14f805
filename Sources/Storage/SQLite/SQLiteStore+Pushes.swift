import Basics
import Foundation
import GRDB

extension SQLiteStore {
    public func insertPush(_ push: PushService) async throws -> PushService {
        try await write { database in
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
                        push.adaptiveGroup, push.pushSource, try push.destination.stored(), push.created.stored,
                        push.updated.stored,
                    ])
            }
            var push = push
            push.id = database.lastInsertedRowID
            return push
        }
    }

    public func push(id: Int64, accountID: AccountID) async throws -> PushService? {
        try await read { database in
            try database.first("SELECT * FROM pushes WHERE id = ? AND cdn = ?", [id, accountID]).map(PushService.init)
        }
    }

    public func pushes(accountID: AccountID) async throws -> [PushService] {
        try await read {
            try $0.all("SELECT * FROM pushes WHERE cdn = ? ORDER BY id", [accountID]).map(PushService.init)
        }
    }

    public func autopushes(app: String, instance: String, stream: String) async throws -> [PushService] {
        try await read { database in
            guard let account = try Self.account(owningApp: app, in: database) else { return [] }
            return try database.all(
                """
                SELECT * FROM pushes
                WHERE cdn = ? AND autopush = 1 AND (app IS NULL OR app = ?) AND (instance IS NULL OR instance = ?)
                    AND (stream IS NULL OR stream = ?)
                ORDER BY id
                """,
                [account.id, app, instance, stream]
            ).map(PushService.init)
        }
    }

    public func updatePush(_ push: PushService) async throws -> Bool {
        try await write { database in
            try database.run(
                """
                UPDATE pushes SET name = ?, service = ?, app = ?, instance = ?, stream = ?, autopush = ?,
                    adaptive_group = ?, push_source = ?, destination = ?, updated = ?
                WHERE id = ? AND cdn = ?
                """,
                [
                    push.name, push.service, push.app, push.instance, push.stream, push.autopush, push.adaptiveGroup,
                    push.pushSource, try push.destination.stored(), push.updated.stored, push.id, push.accountID,
                ]) > 0
        }
    }

    public func removePush(id: Int64, accountID: AccountID) async throws -> Bool {
        try await write { try $0.run("DELETE FROM pushes WHERE id = ? AND cdn = ?", [id, accountID]) > 0 }
    }
}

extension PushService {
    init(_ row: StoredRow) throws {
        self.init(
            id: try row.integer("id"), accountID: try row.account("cdn"), name: try row.text("name"),
            service: try row.text("service"), app: try row.optionalText("app"),
            instance: try row.optionalText("instance"), stream: try row.optionalText("stream"),
            autopush: try row.flag("autopush"), adaptiveGroup: try row.optionalText("adaptive_group"),
            pushSource: try row.flag("push_source"), destination: try row.map("destination"),
            created: try row.date("created"), updated: try row.date("updated"))
    }
}

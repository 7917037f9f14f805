import Basics
import Foundation
import GRDB

extension SQLiteStore {
    @discardableResult
    public func recordEvent(_ event: OriginEvent) async throws -> OriginEvent {
        try await write { database in
            guard event.id == 0 else {
                try database.run(
                    "UPDATE origin_events SET metadata = ? WHERE id = ?", [try event.metadata.stored(), event.id])
                return event
            }
            try database.run(
                """
                INSERT INTO origin_events (
                    cdn, date, kind, app, instance, stream, is_authenticated, user, address, metadata
                ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    event.accountID, event.date.stored, event.kind.rawValue, event.app, event.instance, event.stream,
                    event.isAuthenticated, event.user, event.address, try event.metadata.stored(),
                ])
            var stored = event
            stored.id = database.lastInsertedRowID
            return stored
        }
    }

    public func events(accountID: AccountID, app: String, stream: String?, limit: Int, offset: Int) async throws
        -> [OriginEvent]
    {
        try await read { database in
            try database.all(
                """
                SELECT * FROM origin_events WHERE cdn = ?1 AND app = ?2 AND (?3 IS NULL OR stream = ?3)
                ORDER BY date DESC, id DESC LIMIT ?4 OFFSET ?5
                """,
                [accountID, app, stream, max(0, limit), max(0, offset)]
            ).map(OriginEvent.init)
        }
    }
}

extension OriginEvent {
    init(_ row: StoredRow) throws {
        self.init(
            id: try row.integer("id"), accountID: try row.account("cdn"), date: try row.date("date"),
            kind: try row.choice("kind"), app: try row.text("app"), instance: try row.text("instance"),
            stream: try row.text("stream"), isAuthenticated: try row.flag("is_authenticated"),
            user: try row.text("user"), address: try row.text("address"), metadata: try row.map("metadata"))
    }
}

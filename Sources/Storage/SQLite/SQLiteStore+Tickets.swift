import Basics
import Foundation
import GRDB
import Usher

extension SQLiteStore {
    public func insertTicket(_ ticket: Ticket) async throws -> Ticket {
        try await write { database in
            var ticket = ticket
            ticket.revision = try Self.nextRevision(in: database)
            try StoreError.duplicate("ticket \(ticket.key)") {
                try database.run(
                    """
                    INSERT INTO tickets (
                        cdn, key, pass, ip, app, video, uses, used_count, is_active, created, expires, last_used,
                        claimed_networks, revision
                    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                    [
                        ticket.accountID, ticket.key, ticket.pass, ticket.ip, ticket.app, ticket.video, ticket.uses,
                        ticket.usedCount, ticket.isActive, ticket.created.stored, ticket.expires.stored,
                        ticket.lastUsed?.stored, Ticket.stored(ticket.claimedNetworks), ticket.revision,
                    ])
            }
            ticket.id = database.lastInsertedRowID
            return ticket
        }
    }

    public func ticket(key: String) async throws -> Ticket? {
        try await read { try Self.ticket(key: key, in: $0) }
    }

    static func ticket(key: String, in database: Database) throws -> Ticket? {
        let found = try database.first("SELECT * FROM tickets WHERE key = ?", [key]).map(Ticket.init)
        // SQLite looks for what stands before a NUL.
        return found?.key == key ? found : nil
    }

    public func setTicketActive(key: String, accountID: AccountID, _ isActive: Bool) async throws -> Ticket? {
        try await write { database in
            guard let ticket = try Self.ticket(key: key, in: database), ticket.accountID == accountID else {
                return nil
            }
            guard ticket.isActive != isActive else { return ticket }
            try database.run(
                "UPDATE tickets SET is_active = ?, revision = ? WHERE id = ?",
                [isActive, try Self.nextRevision(in: database), ticket.id])
            return try Self.ticket(key: key, in: database)
        }
    }

    public func touchSessions(_ touches: [SessionTouch]) async throws {
        guard !touches.isEmpty else { return }
        try await write { database in
            for touch in touches {
                try database.run(
                    "UPDATE sessions SET last_seen = max(last_seen, ?) WHERE id = ? AND ended IS NULL",
                    [touch.date.stored, touch.sessionID])
            }
        }
    }

    public func endSession(id: String) async throws {
        try await write { database in
            try database.run("UPDATE sessions SET ended = last_seen WHERE id = ? AND ended IS NULL", [id])
        }
    }

    public func ticketChanges(after revision: Int64, limit: Int) async throws -> [Ticket] {
        try await read { database in
            try database.all(
                "SELECT * FROM tickets WHERE revision > ? ORDER BY revision LIMIT ?", [revision, max(0, limit)]
            ).map(Ticket.init)
        }
    }

    public func currentTicketRevision() async throws -> Int64 {
        try await read { database in
            try database.first("SELECT next - 1 AS current FROM sequences WHERE name = ?", [revisionSequence])?
                .integer("current") ?? 0
        }
    }

    /// Given inside the transaction that uses it, and writers take turns: a reader who has seen a revision has seen all
    /// before it.
    static func nextRevision(in database: Database) throws -> Int64 {
        try reserve(name: revisionSequence, count: 1, startingAt: 1, in: database)
    }
}

private let revisionSequence = "ticket revision"

extension Ticket {
    init(_ row: StoredRow) throws {
        self.init(
            id: try row.integer("id"), accountID: try row.account("cdn"), key: try row.text("key"),
            pass: try row.text("pass"),
            ip: try row.text("ip"), app: try row.text("app"), video: try row.text("video"),
            uses: try row.int("uses"), usedCount: try row.int("used_count"), isActive: try row.flag("is_active"),
            created: try row.date("created"), expires: try row.date("expires"),
            lastUsed: try row.optionalDate("last_used"),
            claimedNetworks: try row.text("claimed_networks").split(separator: "|").map(String.init),
            revision: try row.integer("revision"))
    }

    /// Networks as one text, `|` between them.
    static func stored(_ networks: [String]) -> String {
        networks.joined(separator: "|")
    }
}

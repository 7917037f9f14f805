import Basics
import Foundation
import GRDB
import Usher

extension SQLiteStore {
    static func insert(_ ticket: Ticket, in database: Database) throws -> Ticket {
        var ticket = ticket
        ticket.revision = try nextRevision(in: database)
        try StoreError.duplicate("ticket \(ticket.key)") {
            try database.run(
                """
                INSERT INTO tickets (
                    cdn, key, pass, ip, app, video, uses, used_count, max_sessions, is_active, created,
                    expires, last_used, claimed_networks, revision
                ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    ticket.accountID, ticket.key, ticket.pass, ticket.ip, ticket.app, ticket.video, ticket.uses,
                    ticket.usedCount, ticket.maximumSessions, ticket.isActive, ticket.created.stored,
                    ticket.expires.stored,
                    ticket.lastUsed?.stored, Ticket.stored(ticket.claimedNetworks), ticket.revision,
                ])
        }
        ticket.id = database.lastInsertedRowID
        return ticket
    }

    public func ticket(key: String) async throws -> Ticket? {
        try await readBriefly { try Self.ticket(key: key, in: $0) }
    }

    static func ticket(key: String, in database: Database) throws -> Ticket? {
        let found = try database.first("SELECT * FROM tickets WHERE key = ?", [key]).map(Ticket.init)
        // SQLite looks for what stands before a NUL.
        return found?.key == key ? found : nil
    }

    static func update(_ key: String, of accountID: AccountID, _ change: TicketChange, in database: Database) throws
        -> TicketUpdate
    {
        guard let known = try ticket(key: key, in: database), known.accountID == accountID else { return .notFound }
        var ticket = known
        change.apply(to: &ticket)
        guard ticket != known else { return .changed(known) }
        guard ticket.uses == 0 || ticket.usedCount <= ticket.uses else { return .usedMoreOften(ticket.usedCount) }
        ticket.revision = try nextRevision(in: database)
        try database.run(
            """
            UPDATE tickets SET pass = ?, ip = ?, app = ?, video = ?, uses = ?, max_sessions = ?, is_active = ?,
                expires = ?, claimed_networks = ?, revision = ?
            WHERE id = ?
            """,
            [
                ticket.pass, ticket.ip, ticket.app, ticket.video, ticket.uses, ticket.maximumSessions, ticket.isActive,
                ticket.expires.stored, Ticket.stored(ticket.claimedNetworks), ticket.revision, ticket.id,
            ])
        return .changed(try Self.ticket(key: key, in: database) ?? ticket)
    }

    /// Tickets that one question for some of them looks at.
    private static let mostLookedAt = 20_000

    public func tickets(accountID: AccountID, filter: TicketFilter, after position: Int64, limit: Int) async throws
        -> TicketPage
    {
        try await read { database in
            var source = "cdn = ? AND id > ?"
            var arguments: StatementArguments = [accountID, position]
            if let pass = filter.pass {
                source += " AND pass = ?"
                arguments += [pass]
            }
            // What is looked at is bounded, whatever of it matches.
            let window = "SELECT * FROM tickets WHERE \(source) ORDER BY id LIMIT \(Self.mostLookedAt)"
            let seen = try database.first("SELECT count(*) AS count, max(id) AS last FROM (\(window))", arguments)
            var condition = "1"
            for (column, pattern) in [("app", filter.app), ("video", filter.video)] {
                guard let pattern else { continue }
                condition += " AND matches_wildcard(?, \(column))"
                arguments += [pattern]
            }
            if let isActive = filter.isActive {
                condition += " AND is_active = ?"
                arguments += [isActive]
            }
            if let isExpired = filter.isExpired {
                condition += isExpired ? " AND expires <= ?" : " AND expires > ?"
                arguments += [filter.date.stored]
            }
            arguments += [max(1, limit)]
            let tickets = try database.all(
                "SELECT * FROM (\(window)) WHERE \(condition) ORDER BY id LIMIT ?", arguments
            ).map(Ticket.init)
            var next: Int64?
            if tickets.count >= max(1, limit) {
                next = tickets.last?.id
            } else if let seen, try seen.int("count") >= Self.mostLookedAt {
                next = try seen.integer("last")
            }
            return TicketPage(tickets: tickets, next: next)
        }
    }

    public func runningSessions(ofTicket id: Int64, heardAfter date: Date) async throws -> Int {
        try await read { try Self.runningSessions(ofTicket: id, heardAfter: date, in: $0) }
    }

    /// Each kind has its index, and so neither the sessions that have ended nor those of other tickets are looked at.
    static func runningSessions(
        ofTicket id: Int64, heardAfter date: Date, in database: Database
    ) throws -> Int {
        try [1, 0].reduce(0) { sum, isJoinable in
            let found = try database.first(
                """
                SELECT count(*) AS count FROM sessions
                WHERE ticket_id = ? AND is_joinable = \(isJoinable) AND ended IS NULL AND last_seen > ?
                """, [id, date.stored])
            return sum + (try found?.int("count") ?? 0)
        }
    }

    /// Whether the ticket may have one session more. In the admission's own transaction, so that of two who come at once, to
    /// whichever nodes, the second finds the first.
    static func hasRoom(_ ticket: Ticket, for request: AdmissionRequest, in database: Database) throws -> Bool {
        guard ticket.maximumSessions > 0 else { return true }
        let since = request.now.addingTimeInterval(-request.runningWindow)
        var running = try runningSessions(ofTicket: ticket.id, heardAfter: since, in: database)
        if request.joinWindow != nil {
            // What is left of the same viewer's former session is no other viewer.
            let facts = request.facts
            let own = try database.first(
                """
                SELECT count(*) AS count FROM sessions
                WHERE ticket_id = ? AND address = ? AND app = ? AND video = ? AND last_seen > ?
                    AND is_joinable = 1 AND ended IS NULL
                """, [ticket.id, normalized(facts.address), facts.app, facts.video, since.stored])
            running -= try own?.int("count") ?? 0
        }
        return running < ticket.maximumSessions
    }

    public func touchSessions(_ touches: [SessionTouch]) async throws {
        guard !touches.isEmpty else { return }
        try await write(.housekeeping) { database in
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
            uses: try row.int("uses"), usedCount: try row.int("used_count"),
            maximumSessions: try row.int("max_sessions"), isActive: try row.flag("is_active"),
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

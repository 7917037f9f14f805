import Basics
import Foundation
import GRDB
import Usher

extension SQLiteStore {
    public func admit(_ request: AdmissionRequest) async throws -> Verdict<AdmittedSession> {
        // Who is refused changes nothing, so the write lock is not for them.
        if !request.wasOffered, case .refused(let reason) = try await preview(request) {
            return refuse(request, reason)
        }
        let verdict = try await write(.admissions) { try Self.admit(request, in: $0) }
        switch verdict {
        case .granted(let session): if session.isNew { packer.recorded(1) }
        case .refused(let reason): return refuse(request, reason)
        }
        return verdict
    }

    public func preview(_ request: AdmissionRequest) async throws -> Verdict<String?> {
        guard let key = request.facts.key, !key.isEmpty else { return .refused(.missingTicket) }
        return try await readBriefly { database in
            let ticket = try Self.ticket(for: request, in: database)
            switch (TicketDecision.decide(ticket: ticket, facts: request.facts, now: request.now), ticket) {
            case (.granted, let ticket?) where try Self.hasRoom(ticket, for: request, in: database):
                return .granted(nil)
            case (.granted, let ticket?), (.refused(.noUsesRemaining), let ticket?):
                // The last use or place may be this viewer's own, on another node or from before a restart.
                let running = try Self.sessionToJoin(request, ticket: ticket, in: database)
                return running.map { .granted($0) } ?? .refused(.noUsesRemaining)
            case (.refused(let reason), _): return .refused(reason)
            case (.granted, nil): return .refused(.unknownTicket)
            }
        }
    }

    private func refuse(_ request: AdmissionRequest, _ reason: RefusalReason) -> Verdict<AdmittedSession> {
        recordRefusal(
            Attempt(
                accountID: request.accountID, date: request.now, facts: request.facts, isSuccess: false,
                reason: reason.rawValue), foldingWindow: request.foldingWindow)
        return .refused(reason)
    }

    public func sessionToJoin(_ request: AdmissionRequest) async throws -> String? {
        try await readBriefly { database in
            try Self.ticket(for: request, in: database).flatMap {
                try Self.sessionToJoin(request, ticket: $0, in: database)
            }
        }
    }

    /// The presented ticket. A ticket is good for its own account's streams only, even if it says `*`.
    private static func ticket(for request: AdmissionRequest, in database: Database) throws -> Ticket? {
        let known = try request.facts.key.flatMap { try Self.ticket(key: $0, in: database) }
        return known?.accountID == request.accountID ? known : nil
    }

    /// The transaction holds the database's write lock from its beginning, so what is read here cannot change under it,
    /// not by another process either. The conditions on the UPDATE repeat the decision all the same: they are what makes
    /// the count right whatever becomes of the locking.
    private static func admit(_ request: AdmissionRequest, in database: Database) throws -> Verdict<AdmittedSession> {
        let facts = request.facts
        let ticket = try ticket(for: request, in: database)
        if let ticket, let session = try sessionToJoin(request, ticket: ticket, in: database) {
            try database.run(
                "UPDATE sessions SET last_seen = max(last_seen, ?) WHERE id = ?", [request.now.stored, session])
            return .granted(AdmittedSession(id: session, ticket: ticket, isNew: false))
        }
        guard let ticket else { return .refused(.unknownTicket) }
        let claim: IPNetwork?
        switch TicketDecision.decide(ticket: ticket, facts: facts, now: request.now) {
        case .granted(let network): claim = network
        case .refused(let reason): return .refused(reason)
        }
        guard try hasRoom(ticket, for: request, in: database) else { return .refused(.noUsesRemaining) }
        var charged = ticket
        charged.usedCount += 1
        charged.lastUsed = Date(stored: request.now.stored)
        if let claim { charged.claimedNetworks.append(claim.description) }
        // No revision: other nodes hear of changed rules, and a use is none. It would be one row that all admissions wait for.
        let changes = try database.run(
            """
            UPDATE tickets SET used_count = used_count + 1, claimed_networks = ?, last_used = ?
            WHERE id = ? AND is_active = 1 AND (uses = 0 OR used_count < uses) AND claimed_networks = ?
            """,
            [
                Ticket.stored(charged.claimedNetworks), request.now.stored, ticket.id,
                Ticket.stored(ticket.claimedNetworks),
            ])
        guard changes == 1 else { return .refused(.noUsesRemaining) }
        // The session of an id that was on offer may have been opened before, and ended.
        var id = request.sessionID
        while try database.run(
            """
            INSERT INTO sessions (id, ticket_id, address, app, video, is_joinable, started, last_seen)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
            """,
            [
                id, ticket.id, normalized(facts.address), facts.app, facts.video, request.joinWindow != nil,
                request.now.stored, request.now.stored,
            ]) == 0
        {
            id = SessionID.make()
        }
        try insert(
            Attempt(accountID: request.accountID, date: request.now, facts: facts, isSuccess: true, reason: ""),
            in: database)
        return .granted(AdmittedSession(id: id, ticket: charged, isNew: true))
    }

    /// The running session that the request belongs to. It must pass every check a new one must,
    /// but for the uses.
    private static func sessionToJoin(
        _ request: AdmissionRequest, ticket: Ticket, in database: Database
    ) throws -> String? {
        // Each session is a use.
        guard let window = request.joinWindow, ticket.usedCount > 0,
            TicketDecision.decide(ticket: ticket, facts: request.facts, now: request.now, countsUse: false)
                == .granted(nil)
        else { return nil }
        // Whoever knows the id may have moved inside the network that the session was opened from.
        if let id = request.presentedID,
            let session = try database.first(
                """
                SELECT address FROM sessions
                WHERE id = ? AND ticket_id = ? AND app = ? AND video = ? AND last_seen > ?
                    AND is_joinable = 1 AND ended IS NULL
                """,
                [
                    id, ticket.id, request.facts.app, request.facts.video,
                    request.now.addingTimeInterval(-window).stored,
                ]), let opened = IPAddress(try session.text("address")), let address = IPAddress(request.facts.address),
            TicketDecision.sessionNetwork(for: opened, ticket: ticket).contains(address)
        {
            return id
        }
        let session = try database.first(
            """
            SELECT id FROM sessions
            WHERE ticket_id = ? AND address = ? AND app = ? AND video = ? AND last_seen > ?
                AND is_joinable = 1 AND ended IS NULL
            ORDER BY last_seen DESC LIMIT 1
            """,
            [
                ticket.id, normalized(request.facts.address), request.facts.app, request.facts.video,
                request.now.addingTimeInterval(-window).stored,
            ])
        return try session?.text("id")
    }

    /// One text for every way to write an address.
    static func normalized(_ address: String) -> String {
        IPAddress(address)?.description ?? address
    }
}

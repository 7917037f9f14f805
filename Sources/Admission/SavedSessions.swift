import Foundation
import Usher

/// The HLS sessions of a process that ends. The store knows those of stored tickets, but by their viewers' next playlist only; with
/// this the next process knows all of them at once, so that a viewer who asks for a segment first is not refused.
public struct SavedSessions: Sendable, Codable {
    struct Session: Sendable, Codable {
        let id: String
        let ticket: Ticket
        let facts: ViewerFacts
        let grounds: ViewingRule.Grounds
        let started: Date
    }

    /// Every change of tickets up to this one has been taken in.
    var revision: Int64?
    var sessions: [Session] = []

    public init() {}

    public var isEmpty: Bool { sessions.isEmpty }
}

extension Admissions {
    /// What the next process goes on with.
    public func save() -> SavedSessions {
        var saved = SavedSessions()
        // Asked for first: what is taken in meanwhile is taken in once more.
        saved.revision = sessions.revision
        saved.sessions = sessions.saved(now: now())
        return saved
    }

    /// Goes on with the sessions of a former process. Nothing is charged, and what has changed of their tickets since is taken in
    /// with the first poll.
    /// - Returns: how many there are.
    public func restore(_ saved: SavedSessions) -> Int {
        guard let revision = saved.revision, sessions.revision(orFirst: revision) <= revision else { return 0 }
        let moment = now()
        var count = 0
        for session in saved.sessions.prefix(configuration.maximumSessions) where moment.date < session.ticket.expires {
            _ = sessions.add(
                session.id, ticket: session.ticket, facts: session.facts, now: moment, started: session.started,
                grounds: session.grounds)
            count += 1
        }
        return count
    }
}

import Basics
import Foundation
import Usher

/// The sessions of this node, by id, ticket, viewer and stream. A value that reads no clock and does no I/O: `Admissions`
/// keeps it under a lock, and what is done in it is short.
struct SessionTable {
    typealias OnEnd = @Sendable (EndReason) -> Void

    struct Session {
        /// As at the door; `video` is the one the session is for, of which the viewer may take renditions.
        var facts: ViewerFacts
        /// Where it may be used from.
        var network: IPNetwork
        var expires: Date
        var lastSeen: Date
        /// The `lastSeen` that the store knows.
        var writtenSeen: Date
        /// Set for a connection (RTMP, SRT), which lasts until it is closed; nil for HLS, which lasts while it is used.
        var onEnd: OnEnd?
    }

    /// What makes two HLS requests one session (docs/decisions/0006-uses-and-sessions.md).
    struct Viewer: Hashable {
        var key: String
        var address: String
        var app: String
        var video: String

        init(_ facts: ViewerFacts) {
            key = facts.key ?? ""
            address = IPAddress(facts.address)?.description ?? facts.address
            app = facts.app
            video = facts.video
        }
    }

    struct StreamName: Hashable {
        var app: String
        var stream: String
    }

    /// The ticket as last heard of, and its sessions here.
    struct TicketEntry {
        var ticket: Ticket
        var sessions: Set<String> = []
    }

    private(set) var sessions: [String: Session] = [:]
    private(set) var tickets: [String: TicketEntry] = [:]
    private var viewers: [Viewer: String] = [:]
    private var counts: [StreamName: Int] = [:]
    /// No session's ticket runs out before this.
    private var nextExpiry = Date.distantFuture
    let timeout: TimeInterval

    init(timeout: TimeInterval) {
        self.timeout = timeout
    }

    var count: Int { sessions.count }

    func viewerCount(_ stream: StreamName) -> Int {
        counts[stream] ?? 0
    }

    /// Whether the session runs and may be used for `facts` now; if so it counts as used.
    ///
    /// A viewer who presents a key presents the session's; segments come without one.
    mutating func use(_ id: String, _ facts: ViewerFacts, now: Date) -> Bool {
        guard let index = sessions.index(forKey: id) else { return false }
        let session = sessions[index].value
        guard session.facts.app == facts.app, facts.key == nil || facts.key == session.facts.key,
            VideoName.isSame(facts.video, orFormOf: session.facts.video)
        else { return false }
        return touch(index, address: facts.address, now: now)
    }

    private mutating func touch(_ index: Dictionary<String, Session>.Index, address: String, now: Date) -> Bool {
        let session = sessions[index].value
        guard isRunning(session, now: now), let address = IPAddress(address), session.network.contains(address) else {
            return false
        }
        if now > session.lastSeen { sessions.values[index].lastSeen = now }
        return true
    }

    private func isRunning(_ session: Session, now: Date) -> Bool {
        now < session.expires && (session.onEnd != nil || now.timeIntervalSince(session.lastSeen) < timeout)
    }

    func isRunning(_ id: String, now: Date) -> Bool {
        sessions[id].map { isRunning($0, now: now) } ?? false
    }

    /// The running HLS session of this viewer, and when it was last used.
    func session(of viewer: Viewer, now: Date) -> (id: String, lastSeen: Date)? {
        guard let id = viewers[viewer], let session = sessions[id], isRunning(session, now: now) else { return nil }
        return (id, session.lastSeen)
    }

    /// Adds a session that the store admitted or joined. One that is here already is marked as used.
    mutating func add(_ id: String, ticket: Ticket, facts: ViewerFacts, now: Date, onEnd: OnEnd? = nil) {
        var entry = tickets[ticket.key] ?? TicketEntry(ticket: ticket)
        // A known ticket is left as it was: `update` must still find what changed, for the sessions it has already.
        entry.sessions.insert(id)
        tickets[ticket.key] = entry
        nextExpiry = min(nextExpiry, ticket.expires)
        if let index = sessions.index(forKey: id) {
            sessions.values[index].lastSeen = max(sessions.values[index].lastSeen, now)
            return
        }
        let address = IPAddress(facts.address) ?? IPAddress(v4: 0)
        sessions[id] = Session(
            facts: facts, network: TicketDecision.sessionNetwork(for: address, ticket: ticket),
            expires: ticket.expires, lastSeen: now, writtenSeen: now, onEnd: onEnd)
        if onEnd == nil { viewers[Viewer(facts)] = id }
        counts[StreamName(app: facts.app, stream: facts.video), default: 0] += 1
    }

    @discardableResult
    mutating func remove(_ id: String) -> Session? {
        guard let session = sessions.removeValue(forKey: id) else { return nil }
        if let key = session.facts.key, var entry = tickets.removeValue(forKey: key) {
            entry.sessions.remove(id)
            if !entry.sessions.isEmpty { tickets[key] = entry }
        }
        let viewer = Viewer(session.facts)
        if viewers[viewer] == id { viewers[viewer] = nil }
        let stream = StreamName(app: session.facts.app, stream: session.facts.video)
        let left = (counts[stream] ?? 1) - 1
        counts[stream] = left > 0 ? left : nil
        return session
    }

    /// Takes in what a ticket is now, and ends its sessions that it no longer covers.
    ///
    /// - Returns: what to call, outside the lock.
    mutating func update(_ ticket: Ticket, now: Date) -> [@Sendable () -> Void] {
        guard let entry = tickets[ticket.key], ticket.revision >= entry.ticket.revision else { return [] }
        tickets[ticket.key]?.ticket = ticket
        // Uses change with every viewer; the sessions need looking at only when the rules do.
        guard ticket.rules != entry.ticket.rules else { return [] }
        nextExpiry = min(nextExpiry, ticket.expires)
        var ends: [@Sendable () -> Void] = []
        for id in entry.sessions {
            guard let session = sessions[id] else { continue }
            switch TicketDecision.decide(ticket: ticket, facts: session.facts, now: now, countsUse: false) {
            case .granted: sessions[id]?.expires = ticket.expires
            case .refused(let reason): ends += end(id, reason == .expired ? .expired : .revoked)
            }
        }
        return ends
    }

    /// Ends sessions whose ticket has run out. Looks at them only when one may have.
    mutating func expire(now: Date) -> [@Sendable () -> Void] {
        guard now >= nextExpiry else { return [] }
        let expired = sessions.filter { now >= $0.value.expires }.map(\.key)
        let ends = expired.flatMap { end($0, .expired) }
        nextExpiry = sessions.values.map(\.expires).min() ?? .distantFuture
        return ends
    }

    private mutating func end(_ id: String, _ reason: EndReason) -> [@Sendable () -> Void] {
        guard let onEnd = remove(id)?.onEnd else { return [] }
        return [{ onEnd(reason) }]
    }

    /// Lets go of HLS sessions nobody uses any more, and says which others were used since the store was last told.
    /// Connections count as used while they last.
    mutating func sweep(now: Date) -> [(id: String, date: Date)] {
        var idle: [String] = []
        var touches: [(id: String, date: Date)] = []
        var next = sessions.startIndex
        while next != sessions.endIndex {
            let index = next
            sessions.formIndex(after: &next)
            let (id, session) = sessions[index]
            guard isRunning(session, now: now) else {
                idle.append(id)
                continue
            }
            if session.onEnd != nil {
                guard now.timeIntervalSince(session.writtenSeen) >= timeout else { continue }
                sessions.values[index].lastSeen = max(session.lastSeen, now)
            }
            guard sessions.values[index].lastSeen > session.writtenSeen else { continue }
            sessions.values[index].writtenSeen = sessions.values[index].lastSeen
            touches.append((id, sessions.values[index].lastSeen))
        }
        // A connection whose ticket has run out is `expire`'s to end, which tells it so.
        for id in idle where sessions[id]?.onEnd == nil { remove(id) }
        return touches
    }
}

extension Ticket {
    /// What of a ticket decides over a session that runs.
    fileprivate var rules: [String] {
        [pass, ip, app, video, isActive ? "1" : "0", String(expires.timeIntervalSince1970)] + claimedNetworks
    }
}

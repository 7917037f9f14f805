import Foundation
import Storage
import Usher

/// This node's sessions, running and offered. Pure: times are passed in.
struct SessionTable: Sendable {
    private var sessions: [String: AdmissionSession] = [:]
    private var byTicket: [String: Set<String>] = [:]
    private var pending: [String: PendingSession] = [:]
    /// In the order they were offered; may name some that are gone.
    private var pendingOrder: [String] = []
    private var pendingHead = 0

    var count: Int { sessions.count }
    var pendingCount: Int { pending.count }

    // MARK: Running

    subscript(id: String) -> AdmissionSession? {
        sessions[id]
    }

    mutating func insert(_ session: AdmissionSession) {
        sessions[session.id] = session
        byTicket[session.ticketKey, default: []].insert(session.id)
        pending[session.id] = nil
    }

    @discardableResult
    mutating func remove(_ id: String) -> AdmissionSession? {
        guard let removed = sessions.removeValue(forKey: id) else { return nil }
        byTicket[removed.ticketKey]?.remove(id)
        if byTicket[removed.ticketKey]?.isEmpty == true { byTicket[removed.ticketKey] = nil }
        return removed
    }

    /// Whether the session runs and may be used so; if it may, it is in use now.
    mutating func use(_ id: String, address: IPAddress, app: String, video: String, now: Date) -> Bool {
        guard let session = sessions[id], session.fits(address: address, app: app, video: video, now: now) else {
            return false
        }
        sessions[id]?.lastSeen = now
        sessions[id]?.isTouched = true
        return true
    }

    /// The HLS session that a viewer has with this ticket for this stream.
    func running(ticketKey: String, address: IPAddress, app: String, video: String, now: Date) -> String? {
        byTicket[ticketKey]?.first { id in
            guard let session = sessions[id], session.onEnd == nil else { return false }
            return session.video == video && session.fits(address: address, app: app, video: video, now: now)
        }
    }

    /// The ticket changed: its sessions end if it no longer holds, else they learn its new end.
    mutating func apply(_ ticket: Ticket, now: Date) -> [(AdmissionSession, AdmissionEnding)] {
        guard let ids = byTicket[ticket.key] else { return [] }
        var ended: [(AdmissionSession, AdmissionEnding)] = []
        for id in ids {
            if !ticket.isActive, let session = remove(id) {
                ended.append((session, .revoked))
            } else if ticket.expires <= now, let session = remove(id) {
                ended.append((session, .expired))
            } else {
                sessions[id]?.expires = ticket.expires
            }
        }
        return ended
    }

    /// Takes out the sessions whose ticket ran out, and the HLS sessions nobody used for `timeout`.
    mutating func sweep(now: Date, timeout: TimeInterval) -> (
        expired: [AdmissionSession], idle: [AdmissionSession]
    ) {
        var expired: [AdmissionSession] = []
        var idle: [AdmissionSession] = []
        for session in sessions.values {
            if session.expires <= now {
                expired.append(session)
            } else if session.onEnd == nil, now.timeIntervalSince(session.lastSeen) >= timeout {
                idle.append(session)
            }
        }
        for session in expired + idle { remove(session.id) }
        return (expired, idle)
    }

    /// The sessions in use since the last call.
    mutating func takeTouches() -> [SessionTouch] {
        var touches: [SessionTouch] = []
        for session in sessions.values where session.isTouched {
            touches.append(SessionTouch(sessionID: session.id, date: session.lastSeen))
            sessions[session.id]?.isTouched = false
        }
        return touches
    }

    func viewers(app: String, video: String) -> Int {
        sessions.values.reduce(0) { $1.app == app && $1.video == video ? $0 + 1 : $0 }
    }

    // MARK: Offered

    mutating func offer(_ id: String, _ session: PendingSession, limit: Int) {
        pending[id] = session
        pendingOrder.append(id)
        while pending.count > limit, dropOldestPending() {}
    }

    func offered(_ id: String, facts: ViewerFacts, address: IPAddress) -> PendingSession? {
        guard let session = pending[id], session.fits(facts, address: address) else { return nil }
        return session
    }

    mutating func dropPending(offeredBefore date: Date) {
        while pendingHead < pendingOrder.count {
            let id = pendingOrder[pendingHead]
            if let session = pending[id], session.offered >= date { return }
            _ = dropOldestPending()
        }
    }

    private mutating func dropOldestPending() -> Bool {
        guard pendingHead < pendingOrder.count else { return false }
        pending[pendingOrder[pendingHead]] = nil
        pendingHead += 1
        if pendingHead > 1_024, pendingHead > pendingOrder.count / 2 {
            pendingOrder.removeFirst(pendingHead)
            pendingHead = 0
        }
        return true
    }
}

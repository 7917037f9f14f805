import Basics
import Foundation
import Storage
import Usher

extension Admissions {
    /// For a master playlist of a protected stream: whether the viewer would be let in now. Nothing is charged. A refusal is
    /// logged as an attempt. Throws what the store throws.
    public func preview(_ facts: ViewerFacts) async throws -> PreviewDecision {
        let date = now()
        let accountID = try await owner(ofApp: facts.app)
        let known = try await ticket(facts, accountID: accountID)
        let decision = TicketDecision.decide(ticket: known, facts: facts, now: date)
        let joinable = TicketDecision.decide(ticket: known, facts: facts, now: date, countsUse: false)
        if case .admitted = joinable,
            let running = state.withLock({ $0.sessions.session(of: SessionTable.Viewer(facts), now: date) })
        {
            return .allowed(sessionID: running.id)
        }
        switch decision {
        case .admitted:
            let id = SessionID.make()
            state.withLock { $0.pending.add(id, facts, now: date) }
            return .allowed(sessionID: id)
        case .refused(let reason):
            // The last use may have been this viewer's own, on another node or before a restart.
            if reason == .noUsesRemaining,
                let running = try await store.sessionToJoin(request(facts, accountID: accountID, id: "", now: date))
            {
                return .allowed(sessionID: running)
            }
            try await store.recordRefusal(
                Attempt(accountID: accountID, date: date, facts: facts, isSuccess: false, reason: reason.rawValue),
                foldingWindow: configuration.foldingWindow)
            return .refused(reason)
        }
    }

    /// For a media playlist that lists media: keeps the session going, or opens it, which charges a use.
    ///
    /// An id that is not known here is never adopted. If the facts carry a good key and pass, the viewer joins the session
    /// the store has for them, or opens a new one, and the decision says under which id (`reopened`); after a restart that is
    /// the presented id itself (`playing`). Throws what the store throws, and `AdmissionError`.
    public func enter(sessionID: String?, facts: ViewerFacts) async throws -> EntryDecision {
        let date = now()
        var facts = facts
        var pendingVideo: String?
        if let sessionID {
            let (isPlaying, video) = state.withLock { [facts] state in
                (
                    state.sessions.use(sessionID, facts, now: date),
                    state.pending.video(of: sessionID, for: facts, now: date)
                )
            }
            if isPlaying { return .playing(sessionID: sessionID) }
            pendingVideo = video
        }
        if let pendingVideo { facts.video = pendingVideo }
        try await writeLastUse(of: SessionTable.Viewer(facts), now: date)
        let accountID = try await owner(ofApp: facts.app)
        let id = pendingVideo != nil ? sessionID ?? SessionID.make() : SessionID.make()
        let outcome = try await admit(request(facts, accountID: accountID, id: id, now: date))
        let playing: String
        switch outcome {
        case .opened: playing = id
        case .joined(_, let joined): playing = joined
        case .refused(let reason): return .refused(reason)
        }
        state.withLock { $0.pending.remove(id) }
        return playing == sessionID ? .playing(sessionID: playing) : .reopened(sessionID: playing)
    }

    /// For segments: whether the session runs and may be used for this stream from this address. Counts as use. Does not
    /// wait for anything.
    public func permits(sessionID: String, facts: ViewerFacts) -> Bool {
        let date = now()
        return state.withLock { $0.sessions.use(sessionID, facts, now: date) }
    }

    /// For who knows no more than the address.
    public func permits(sessionID: String, address: String) -> Bool {
        let date = now()
        return state.withLock { $0.sessions.use(sessionID, address: address, now: date) }
    }

    /// The store learns of use in intervals; before it is asked whether a session still runs it must know the latest.
    private func writeLastUse(of viewer: SessionTable.Viewer, now: Date) async throws {
        guard let running = state.withLock({ $0.sessions.session(of: viewer, now: now) }) else { return }
        try await store.touchSessions([SessionTouch(sessionID: running.id, date: running.lastSeen)])
    }

    /// The presented ticket, if it is of the stream's account.
    private func ticket(_ facts: ViewerFacts, accountID: AccountID) async throws -> Ticket? {
        guard let key = facts.key, !key.isEmpty, let ticket = try await store.ticket(key: key),
            ticket.accountID == accountID
        else {
            return nil
        }
        return ticket
    }

    private func request(_ facts: ViewerFacts, accountID: AccountID, id: String, now: Date) -> AdmissionRequest {
        AdmissionRequest(
            facts: facts, accountID: accountID, now: now, sessionID: id, joinWindow: configuration.sessionTimeout,
            foldingWindow: configuration.foldingWindow)
    }
}

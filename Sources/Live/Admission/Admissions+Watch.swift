import Foundation
import Logging
import Storage

extension Admissions {
    /// A ticket changed here: its sessions end now if it no longer holds.
    public func ticketChanged(_ ticket: Ticket) async {
        let time = now()
        let ended = state.withLock { $0.sessions.apply(ticket, now: time) }
        await dismiss(ended)
    }

    /// Watches over the running sessions until cancelled: tickets that other nodes and tools changed, expiry, idle HLS
    /// sessions; tells the store which sessions are in use.
    public func run() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: configuration.pollInterval)
        }
        await writeTouches()
    }

    /// One look at everything that may have ended. Called by `run` every `pollInterval`.
    func look() async {
        do {
            try await applyChanges()
        } catch {
            logger.error("ticket changes not read", metadata: ["error": "\(error)"])
        }
        let time = now()
        let swept = state.withLock { state in
            state.sessions.dropPending(offeredBefore: time - configuration.pendingTimeout)
            return state.sessions.sweep(now: time, timeout: configuration.sessionTimeout)
        }
        await dismiss(swept.expired.map { ($0, .expired) })
        await end(in: swept.idle.map(\.id))
        let isDue = state.withLock { state in
            guard time.timeIntervalSince(state.lastTouch) >= configuration.touchInterval else { return false }
            state.lastTouch = time
            return true
        }
        if isDue { await writeTouches() }
    }

    private func applyChanges() async throws {
        guard var revision = state.withLock({ $0.revision }) else {
            // What changed before this node began concerns no session of it.
            let current = try await store.currentTicketRevision()
            state.withLock { $0.revision = current }
            return
        }
        let page = 500
        while true {
            let changed = try await store.ticketChanges(after: revision, limit: page)
            let time = now()
            for ticket in changed {
                revision = max(revision, ticket.revision)
                let ended = state.withLock { $0.sessions.apply(ticket, now: time) }
                await dismiss(ended)
            }
            let reached = revision
            state.withLock { $0.revision = reached }
            if changed.count < page { return }
        }
    }

    private func dismiss(_ ended: [(AdmissionSession, AdmissionEnding)]) async {
        guard !ended.isEmpty else { return }
        for (session, ending) in ended {
            logger.info(
                "viewer session ended: ticket \(ending)",
                metadata: ["app": "\(session.app)", "stream": "\(session.video)"])
            session.onEnd?(ending)
        }
        await end(in: ended.map(\.0.id))
    }

    /// The store forgets the sessions, so that nobody joins them.
    func end(in ids: [String]) async {
        for id in ids {
            do {
                try await store.endSession(id: id)
            } catch {
                logger.error("viewer session not ended in the store", metadata: ["error": "\(error)"])
            }
        }
    }

    private func writeTouches() async {
        let touches = state.withLock { $0.sessions.takeTouches() }
        guard !touches.isEmpty else { return }
        do {
            try await store.touchSessions(touches)
        } catch {
            logger.error("viewer sessions not kept in the store", metadata: ["error": "\(error)"])
        }
    }
}

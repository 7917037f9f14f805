import Foundation
import Logging
import Storage
import Usher

extension Admissions {
    /// Takes in a ticket that was changed here (revoked, switched on, given another expiry): sessions it no longer covers
    /// end at once, connections through their `onEnd`.
    public func ticketChanged(_ ticket: Ticket) {
        let date = now()
        let ends = state.withLock { $0.sessions.update(ticket, now: date) }
        for end in ends { end() }
    }

    /// Follows changes of tickets and the clock until cancelled: the body of a service. Writes back the last uses at the end.
    public func run() async {
        while !Task.isCancelled {
            await poll()
            try? await Task.sleep(for: configuration.pollInterval)
        }
        await writeUses()
    }

    /// One round of `run`.
    func poll() async {
        let date = now()
        let (ends, isSweepDue) = state.withLock { state in
            let isDue = date.timeIntervalSince(state.lastSweep) >= configuration.touchInterval
            if isDue { state.lastSweep = date }
            return (state.sessions.expire(now: date), isDue)
        }
        for end in ends { end() }
        do {
            try await takeInChanges()
            if isSweepDue { try await writeTouches() }
            noteStore(isFailing: false, nil)
        } catch {
            noteStore(isFailing: true, error)
        }
    }

    /// Writes back when sessions were last used, so that a restart goes on with them.
    public func writeUses() async {
        do {
            try await writeTouches()
        } catch {
            noteStore(isFailing: true, error)
        }
    }

    private func takeInChanges() async throws {
        let limit = 1_000
        var revision = try await baseline()
        while !Task.isCancelled {
            let changes = try await store.ticketChanges(after: revision, limit: limit)
            guard let last = changes.last else { return }
            revision = last.revision
            let date = now()
            // In one step: whoever sees the new revision finds the sessions ended, and who adds one after sees it.
            let ends = state.withLock { state in
                state.polledRevision = max(state.polledRevision ?? 0, last.revision)
                return changes.flatMap { state.sessions.update($0, now: date) }
            }
            for end in ends { end() }
            if changes.count < limit { return }
        }
    }

    private func writeTouches() async throws {
        let date = now()
        let touches = state.withLock { state in
            state.pending.removeExpired(now: date)
            return state.sessions.sweep(now: date)
        }
        // In steps, so that no single transaction is long.
        var rest = touches[...]
        while !rest.isEmpty {
            try await store.touchSessions(rest.prefix(500).map { SessionTouch(sessionID: $0.id, date: $0.date) })
            rest = rest.dropFirst(500)
        }
    }

    /// Said once when it begins and once when it is over, not with every round.
    private func noteStore(isFailing: Bool, _ error: (any Error)?) {
        let isNew = state.withLock { state in
            defer { state.isStoreFailing = isFailing }
            return state.isStoreFailing != isFailing
        }
        guard isNew, !Task.isCancelled else { return }
        if isFailing {
            logger.error(
                "the store does not answer, revocations are not heard of",
                metadata: ["error": "\(error.map { "\($0)" } ?? "")"])
        } else {
            logger.info("the store answers again")
        }
    }
}

import Foundation
import Logging
import Storage
import Synchronization
import Usher

/// The door: lets viewers in by ticket, the same way for every protocol, and keeps this node's running sessions.
///
/// The store decides and charges (`Store.admit`); what is kept here is a cache of it: who is in, so that segments need no
/// query and a revoked ticket ends what it opened.
public final class Admissions: Sendable {
    /// The server holds as many sessions as it may.
    public struct Full: Error, Sendable, CustomStringConvertible {
        public var description: String { "the server has no room for another viewer session" }
    }

    struct State: Sendable {
        var sessions = SessionTable()
        var protection: ProtectionCache
        var revision: Int64?
        var lastTouch = Date.distantPast

        /// Whether the watch has seen changes later than this reading of the ticket.
        func isPast(_ ticket: Ticket) -> Bool {
            revision.map { $0 > ticket.revision } ?? false
        }
    }

    let store: any Store
    let configuration: AdmissionConfiguration
    let logger: Logger
    let now: @Sendable () -> Date
    let state: Mutex<State>

    public init(
        store: any Store, configuration: AdmissionConfiguration = AdmissionConfiguration(), logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
        self.now = now
        state = Mutex(State(protection: ProtectionCache(lifetime: configuration.protectionLifetime)))
    }

    // MARK: Protection

    /// How viewers are let in to a stream: what the configuration insists on, else the stream's settings, else the default.
    public func protection(app: String, stream: String) async throws -> Protection {
        try await streamGuard(app: app, stream: stream).protection
    }

    /// Stream settings changed: what is remembered of them is forgotten.
    public func invalidate(app: String, stream: String) {
        state.withLock { $0.protection.remove(app: app, stream: stream) }
    }

    func streamGuard(app: String, stream: String) async throws -> StreamGuard {
        let now = now()
        if let known = state.withLock({ $0.protection.value(app: app, stream: stream, now: now) }) { return known }
        let settings = try await store.streamSettings(app: app, stream: stream)
        let account = try await store.account(owningApp: app)
        let isAlways = configuration.isAlwaysProtected(app, stream)
        let protection = isAlways ? .sevu : settings?.protection ?? configuration.defaultProtection
        let value = StreamGuard(protection: protection, cdn: account?.cdn, read: now)
        state.withLock { $0.protection.insert(value, app: app, stream: stream) }
        return value
    }

    // MARK: Connections (RTMP)

    public enum Entry: Sendable, Hashable {
        case admitted(sessionID: String)
        case refused(RefusalReason)
    }

    /// Lets one connection's play in, which costs a use; `close` it when the viewer leaves.
    /// - Parameter onEnd: called when the ticket is revoked or runs out while it plays.
    public func open(_ facts: ViewerFacts, onEnd: @escaping @Sendable (AdmissionEnding) -> Void) async throws -> Entry {
        guard let address = IPAddress(facts.address) else { return .refused(.addressNotAllowed) }
        let id = SessionID.make()
        switch try await admit(facts, sessionID: id, joinWindow: nil) {
        case .opened(let ticket), .joined(let ticket, _):
            let session = AdmissionSession(
                id: id, facts: facts, ticket: ticket, address: address, now: now(), onEnd: onEnd)
            let isStale = state.withLock { state in
                state.sessions.insert(session)
                return state.isPast(ticket)
            }
            if isStale { try await recheck(ticket) }
            return .admitted(sessionID: id)
        case .refused(let reason):
            return .refused(reason)
        }
    }

    /// The viewer left.
    public func close(_ sessionID: String) async {
        _ = state.withLock { $0.sessions.remove(sessionID) }
        await end(in: [sessionID])
    }

    // MARK: HLS

    /// For the master playlist: would the viewer be let in? Charges nothing; a refusal is an attempt.
    /// - Returns: the session to play under: the one the viewer has already, or a new one on offer.
    public func preview(_ facts: ViewerFacts) async throws -> Entry {
        guard let address = IPAddress(facts.address) else { return .refused(.addressNotAllowed) }
        let cdn = try await streamGuard(app: facts.app, stream: facts.video).cdn
        var ticket: Ticket?
        if let key = facts.key, !key.isEmpty { ticket = try await store.ticket(key: key) }
        // A ticket opens its own account's streams only, however wide its wildcards are.
        if ticket?.cdn != cdn { ticket = nil }
        let time = now()
        if let ticket, case .admitted = TicketDecision.decide(ticket: ticket, facts: facts, now: time, countsUse: false),
            let running = state.withLock({
                $0.sessions.running(
                    ticketKey: ticket.key, address: address, app: facts.app, video: facts.video, now: time)
            })
        {
            return .admitted(sessionID: running)
        }
        switch TicketDecision.decide(ticket: ticket, facts: facts, now: time) {
        case .admitted:
            let id = SessionID.make()
            let offer = PendingSession(
                key: facts.key ?? "", pass: facts.pass ?? "", address: address, app: facts.app, video: facts.video,
                offered: time)
            state.withLock { $0.sessions.offer(id, offer, limit: configuration.maximumPending) }
            return .admitted(sessionID: id)
        case .refused(.noUsesRemaining):
            // The last use may be this viewer's own session, begun before a restart or on another node.
            return try await enter(sessionID: nil, facts)
        case .refused(let reason):
            try await store.recordRefusal(
                Attempt(cdn: cdn ?? 0, date: time, facts: facts, isSuccess: false, reason: reason.rawValue),
                foldingWindow: configuration.foldingWindow)
            return .refused(reason)
        }
    }

    /// For a playlist that lists media: keeps a running session going, or opens one, which costs a use.
    /// - Parameter sessionID: as in the path. One that is neither running nor on offer here is never adopted: the viewer gets
    ///   another, its own running one or a fresh one.
    public func enter(sessionID: String?, _ facts: ViewerFacts) async throws -> Entry {
        guard let address = IPAddress(facts.address) else { return .refused(.addressNotAllowed) }
        let time = now()
        var facts = facts
        var id = SessionID.make()
        if let sessionID {
            let (isRunning, offered) = state.withLock { state in
                let isRunning = state.sessions.use(
                    sessionID, address: address, app: facts.app, video: facts.video, now: time)
                return (isRunning, state.sessions.offered(sessionID, facts: facts, address: address))
            }
            if isRunning { return .admitted(sessionID: sessionID) }
            if let offered {
                id = sessionID
                // The path alone carries the ticket, for players that drop the query.
                facts.key = facts.key ?? offered.key
                facts.pass = facts.pass ?? offered.pass
            }
        }
        switch try await admit(facts, sessionID: id, joinWindow: configuration.sessionTimeout) {
        case .opened(let ticket):
            try await insert(id, facts, ticket, address)
            return .admitted(sessionID: id)
        case .joined(let ticket, let running):
            try await insert(running, facts, ticket, address)
            return .admitted(sessionID: running)
        case .refused(let reason):
            return .refused(reason)
        }
    }

    /// Whether a session runs and may be used by this viewer for this stream: asked for every segment, answered from memory.
    public func permits(sessionID: String, address: String, app: String, video: String) -> Bool {
        guard let address = IPAddress(address) else { return false }
        let time = now()
        return state.withLock { $0.sessions.use(sessionID, address: address, app: app, video: video, now: time) }
    }

    /// Ticketed viewers of a stream on this node.
    public func viewerCount(app: String, stream: String) -> Int {
        state.withLock { $0.sessions.viewers(app: app, video: stream) }
    }

    private func admit(_ facts: ViewerFacts, sessionID: String, joinWindow: TimeInterval?) async throws
        -> AdmissionOutcome
    {
        guard state.withLock({ $0.sessions.count }) < configuration.maximumSessions else { throw Full() }
        let cdn = try await streamGuard(app: facts.app, stream: facts.video).cdn ?? 0
        return try await store.admit(
            AdmissionRequest(facts: facts, cdn: cdn, now: now(), sessionID: sessionID, joinWindow: joinWindow))
    }

    private func insert(_ id: String, _ facts: ViewerFacts, _ ticket: Ticket, _ address: IPAddress) async throws {
        let session = AdmissionSession(id: id, facts: facts, ticket: ticket, address: address, now: now(), onEnd: nil)
        let isStale = state.withLock { state in
            if state.sessions[id] == nil { state.sessions.insert(session) }
            return state.isPast(ticket)
        }
        if isStale { try await recheck(ticket) }
    }

    /// The watch may have passed a revocation between the admission and the session's place in the table.
    private func recheck(_ ticket: Ticket) async throws {
        if let current = try await store.ticket(key: ticket.key) { await ticketChanged(current) }
    }
}

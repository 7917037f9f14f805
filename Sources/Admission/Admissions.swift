import Basics
import Foundation
import Logging
import Storage
import Synchronization
import Usher

/// What a server of playlists asks of admission: `Admissions`, or a stand-in in tests. Every method may be called from any task.
public protocol ViewerAdmission: Sendable {
    /// How viewers are let in to a stream.
    func protection(app: String, stream: String) async throws -> Protection

    /// Whether the viewer would be admitted now, and the session to play under: a running one or one on offer. Nothing is
    /// charged. A refusal is logged as an attempt.
    func offer(_ facts: ViewerFacts) async throws -> Verdict<String>

    /// Admits the viewer, or keeps the session going: called for each media playlist that is given out. The first call for a
    /// session charges its use. A refusal is logged as an attempt.
    ///
    /// - Parameter session: the id presented; nil: none was.
    /// - Returns: the session that plays now. It is another one than `session` when that is unknown, over, or somebody else's;
    ///   then the viewer belongs on the path of the granted one, for what is asked for under the presented one is refused.
    func admit(_ facts: ViewerFacts, session: String?) async throws -> Verdict<String>

    /// Whether a session runs and may be used by this viewer for this stream. For every segment, so it never waits.
    func permits(_ facts: ViewerFacts, session: String) -> Bool
}

/// Why a viewing session was ended by this side.
public enum EndReason: Sendable, Hashable {
    /// The ticket was revoked or removed, or no longer covers the viewer.
    case revoked
    case expired
}

public enum AdmissionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// `AdmissionConfiguration.maximumSessions` is reached. Nothing was charged; another try later may succeed.
    case tooManySessions

    public var description: String {
        "this node has as many viewers as it may have"
    }
}

/// Who may watch, the same for every protocol, and the viewing sessions that run on this node because of it.
///
/// The store decides and counts, so any number of nodes agree; this keeps what must be answered at once, and hears of
/// revocations on other nodes by asking the store for changed tickets. Of streams that are not protected nothing but
/// `protection` is asked. All methods may be called from any task.
public final class Admissions: ViewerAdmission {
    private struct State {
        var sessions: SessionTable
        var pending: PendingTable
        var cache = ProtectionCache()
        /// Admissions under way, which count as sessions already.
        var entering = 0
        /// Every ticket change up to this one has been taken in; nil before the first question.
        var polledRevision: Int64?
        var lastSweep = Date.distantPast
        var isStoreFailing = false
    }

    private let store: any Store
    private let configuration: AdmissionConfiguration
    private let logger: Logger
    private let now: @Sendable () -> Date
    private let state: Mutex<State>
    private let protectedStreams: [Wildcard]

    public init(
        store: any Store, configuration: AdmissionConfiguration = AdmissionConfiguration(),
        logger: Logger = Logger(label: "admission"), now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
        self.now = now
        protectedStreams = configuration.protectedStreams.map { Wildcard($0) }
        state = Mutex(
            State(
                sessions: SessionTable(timeout: configuration.sessionTimeout),
                pending: PendingTable(
                    maximum: configuration.maximumPending, timeout: configuration.pendingTimeout)))
    }

    // MARK: What is known of streams

    /// By ticket if the configuration lists the stream, else as its settings say, else its app's `*` settings, else the
    /// configured default. At most `protectionCacheTime` old.
    public func protection(app: String, stream: String) async throws -> Protection {
        let name = SessionTable.StreamName(app: app, stream: stream)
        let date = now()
        let (known, generation) = state.withLock { ($0.cache.protection(name, now: date), $0.cache.generation) }
        if let known { return known }
        // The configuration's list is the operator's word: no setting opens what it protects.
        let protection: Protection
        if isAlwaysProtected(app: app, stream: stream) {
            protection = .sevu
        } else {
            protection =
                try await store.streamSettings(app: app, stream: stream)?.protection ?? configuration.defaultProtection
        }
        state.withLock {
            $0.cache.set(
                protection, for: name, until: date.addingTimeInterval(configuration.protectionCacheTime),
                generation: generation)
        }
        return protection
    }

    private func isAlwaysProtected(app: String, stream: String) -> Bool {
        protectedStreams.contains { $0.matches("\(app)/\(stream)") }
    }

    /// What a stream starts with when its settings are made without a word on protection.
    public var defaultProtection: Protection {
        configuration.defaultProtection
    }

    /// To be called when stream settings were changed here; other nodes notice within `protectionCacheTime`.
    public func streamSettingsChanged() {
        state.withLock { $0.cache.forgetProtections() }
    }

    /// Sessions of a stream on this node: HLS viewers with a ticket and connections.
    public func viewerCount(app: String, stream: String) -> Int {
        state.withLock { $0.sessions.viewerCount(SessionTable.StreamName(app: app, stream: stream)) }
    }

    /// Sessions on this node.
    public var sessionCount: Int {
        state.withLock { $0.sessions.count }
    }

    /// The account that an app's attempts are logged for. 0, which no account has, when nobody owns the app: then no ticket is
    /// good for it.
    private func owner(ofApp app: String) async throws -> AccountID {
        let date = now()
        if let known = state.withLock({ $0.cache.owner(app: app, now: date) }) { return known }
        guard let account = try await store.account(owningApp: app) else { return 0 }
        state.withLock { $0.cache.set(owner: account.id, of: app, until: date.addingTimeInterval(10)) }
        return account.id
    }

    // MARK: Viewers

    public func offer(_ facts: ViewerFacts) async throws -> Verdict<String> {
        let date = now()
        let accountID = try await owner(ofApp: facts.app)
        let known = try await ticket(facts, accountID: accountID)
        let verdict = TicketDecision.decide(ticket: known, facts: facts, now: date)
        let joinable = TicketDecision.decide(ticket: known, facts: facts, now: date, countsUse: false)
        if case .granted = joinable,
            let running = state.withLock({ $0.sessions.session(of: SessionTable.Viewer(facts), now: date) })
        {
            return .granted(running.id)
        }
        switch verdict {
        case .granted:
            let id = SessionID.make()
            state.withLock { $0.pending.add(id, facts, now: date) }
            return .granted(id)
        case .refused(let reason):
            // The last use may have been this viewer's own, on another node or before a restart.
            if reason == .noUsesRemaining,
                let running = try await store.sessionToJoin(request(facts, accountID: accountID, id: "", now: date))
            {
                return .granted(running)
            }
            try await store.recordRefusal(
                Attempt(accountID: accountID, date: date, facts: facts, isSuccess: false, reason: reason.rawValue),
                foldingWindow: configuration.foldingWindow)
            return .refused(reason)
        }
    }

    /// An id that is not known here is never adopted. If the facts carry a good key and pass, the viewer joins the session
    /// the store has for them, or a new one is opened; after a restart that is the presented id itself. Throws what the store
    /// throws, and `AdmissionError`.
    public func admit(_ facts: ViewerFacts, session: String?) async throws -> Verdict<String> {
        let date = now()
        var facts = facts
        var pendingVideo: String?
        if let session {
            let (isPlaying, video) = state.withLock { [facts] state in
                (
                    state.sessions.use(session, facts, now: date),
                    state.pending.video(of: session, for: facts, now: date)
                )
            }
            if isPlaying { return .granted(session) }
            pendingVideo = video
        }
        if let pendingVideo { facts.video = pendingVideo }
        try await writeLastUse(of: SessionTable.Viewer(facts), now: date)
        let accountID = try await owner(ofApp: facts.app)
        let id = pendingVideo != nil ? session ?? SessionID.make() : SessionID.make()
        let verdict = try await open(request(facts, accountID: accountID, id: id, now: date))
        if case .granted = verdict { state.withLock { $0.pending.remove(id) } }
        return verdict
    }

    /// Admits a connection to play (RTMP, SRT) and charges a use for it, whatever else runs. A refusal is logged as an attempt.
    ///
    /// - Parameter onEnd: called once, on any thread, when the ticket is revoked or runs out, perhaps before the caller has
    ///   dealt with this method's answer (`isRunning` tells). Not called after `close`.
    /// - Throws: what the store throws, and `AdmissionError`.
    public func admit(connection facts: ViewerFacts, onEnd: @escaping @Sendable (EndReason) -> Void) async throws
        -> Verdict<String>
    {
        let accountID = try await owner(ofApp: facts.app)
        let request = AdmissionRequest(
            facts: facts, accountID: accountID, now: now(), sessionID: SessionID.make(), joinWindow: nil,
            foldingWindow: configuration.foldingWindow)
        return try await open(request, onEnd: onEnd)
    }

    /// Counts as use of the session.
    public func permits(_ facts: ViewerFacts, session: String) -> Bool {
        let date = now()
        return state.withLock { $0.sessions.use(session, facts, now: date) }
    }

    /// Whether the session is still good.
    public func isRunning(_ session: String) -> Bool {
        let date = now()
        return state.withLock { $0.sessions.isRunning(session, now: date) }
    }

    /// The connection is gone or plays no more.
    public func close(_ session: String) async {
        guard state.withLock({ $0.sessions.remove(session) }) != nil else { return }
        do {
            try await store.endSession(id: session)
        } catch {
            // It costs nothing that the store believes it open: a connection's session is never joined.
            logger.debug("session end not stored", metadata: ["error": "\(error)"])
        }
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

    /// The one way into the store: decides, charges or joins, and makes it a session of this node.
    ///
    /// - Parameter onEnd: makes it a connection's session.
    private func open(_ request: AdmissionRequest, onEnd: SessionTable.OnEnd? = nil) async throws -> Verdict<String> {
        let polled = try await baseline()
        try state.withLock { state in
            guard state.sessions.count + state.entering < configuration.maximumSessions else {
                throw AdmissionError.tooManySessions
            }
            state.entering += 1
        }
        defer { state.withLock { $0.entering -= 1 } }
        let verdict = try await store.admit(request)
        return try await begin(verdict, of: request, polled: polled, onEnd: onEnd)
    }

    /// Makes what the store granted a session of this node.
    ///
    /// - Parameter polled: the revision up to which changes had been taken in before the store was asked.
    func begin(
        _ verdict: Verdict<AdmittedSession>, of request: AdmissionRequest, polled: Int64,
        onEnd: SessionTable.OnEnd? = nil
    ) async throws -> Verdict<String> {
        guard case .granted(let admitted) = verdict else { return verdict.map(\.id) }
        let mayBeStale = state.withLock { state in
            state.sessions.add(
                admitted.id, ticket: admitted.ticket, facts: request.facts, now: request.now, onEnd: onEnd)
            return state.polledRevision != polled
        }
        // A change that was taken in while the store admitted did not find this session, and will not come again.
        if mayBeStale, try await !isStillCovered(admitted.id, by: admitted.ticket) { return .refused(.revoked) }
        return .granted(admitted.id)
    }

    /// Asks the store for the ticket once more, and takes its sessions along if it changed.
    private func isStillCovered(_ id: String, by ticket: Ticket) async throws -> Bool {
        do {
            let current = try await store.ticket(key: ticket.key)
            guard let current, current.isActive, now() < current.expires else {
                state.withLock { _ = $0.sessions.remove(id) }
                return false
            }
            ticketChanged(current)
            return isRunning(id)
        } catch {
            state.withLock { _ = $0.sessions.remove(id) }
            throw error
        }
    }

    /// The revision up to which ticket changes are known, asked for once before the first session.
    func baseline() async throws -> Int64 {
        if let known = state.withLock({ $0.polledRevision }) { return known }
        let current = try await store.currentTicketRevision()
        return state.withLock { state in
            let revision = state.polledRevision ?? current
            state.polledRevision = revision
            return revision
        }
    }

    // MARK: Changes

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

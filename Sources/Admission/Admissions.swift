import Basics
import Foundation
import Logging
import Storage
import Synchronization
import Usher

/// The door: who may watch, the same for every protocol, and the sessions that run on this node because of it.
///
/// The store decides and counts, so any number of nodes agree; this keeps what must be answered at once, and hears of
/// revocations on other nodes by asking the store for changed tickets. Of streams that are not protected nothing but
/// `protection` is asked. All methods may be called from any task.
public final class Admissions: Sendable {
    struct State {
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

    let store: any Store
    let configuration: AdmissionConfiguration
    let logger: Logger
    let now: @Sendable () -> Date
    let state: Mutex<State>
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

    /// How viewers are let in to a stream: by ticket if the configuration lists it, else as its settings say, else its
    /// app's `*` settings, else the configured default. At most
    /// `protectionCacheTime` old.
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

    /// The account that logs what happens at an app's door. 0, which no account has, when nobody owns the app: then no
    /// ticket is good for it.
    func owner(ofApp app: String) async throws -> AccountID {
        let date = now()
        if let known = state.withLock({ $0.cache.owner(app: app, now: date) }) { return known }
        guard let account = try await store.account(owningApp: app) else { return 0 }
        state.withLock { $0.cache.set(owner: account.id, of: app, until: date.addingTimeInterval(10)) }
        return account.id
    }

    /// The one way into the store: decides, charges or joins, and takes up the session.
    ///
    /// - Parameter onEnd: makes it a connection's session.
    func admit(_ request: AdmissionRequest, onEnd: SessionTable.OnEnd? = nil) async throws -> AdmissionOutcome {
        let polled = try await baseline()
        try state.withLock { state in
            guard state.sessions.count + state.entering < configuration.maximumSessions else {
                throw AdmissionError.tooManySessions
            }
            state.entering += 1
        }
        defer { state.withLock { $0.entering -= 1 } }
        let outcome = try await store.admit(request)
        return try await takeUp(outcome, of: request, polled: polled, onEnd: onEnd)
    }

    /// Makes what the store said a session of this node.
    ///
    /// - Parameter polled: the revision up to which changes had been taken in before the store was asked.
    func takeUp(
        _ outcome: AdmissionOutcome, of request: AdmissionRequest, polled: Int64, onEnd: SessionTable.OnEnd? = nil
    ) async throws -> AdmissionOutcome {
        let (ticket, id): (Ticket, String)
        switch outcome {
        case .opened(let opened): (ticket, id) = (opened, request.sessionID)
        case .joined(let joined, let sessionID): (ticket, id) = (joined, sessionID)
        case .refused: return outcome
        }
        let mayBeStale = state.withLock { state in
            state.sessions.add(id, ticket: ticket, facts: request.facts, now: request.now, onEnd: onEnd)
            return state.polledRevision != polled
        }
        // A change that was taken in while the store admitted did not find this session, and will not come again.
        if mayBeStale, try await !isStillCovered(id, by: ticket) { return .refused(.revoked) }
        return outcome
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
}

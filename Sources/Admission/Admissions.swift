import Basics
import Foundation
import Logging
import NIOCore
import Storage
import Synchronization
import Usher

/// Who may watch, the same for every protocol, and the viewing sessions that run on this node because of it.
///
/// The store decides and counts, so any number of nodes agree; this keeps what must be answered at once, and hears of
/// revocations on other nodes by asking the store for changed tickets. Of streams that are not protected nothing but
/// `protection` is asked. All methods may be called from any task.
public final class Admissions: ViewerAdmission {
    private struct State: Sendable {
        /// Ids on offer under which a session is being opened, so that of two requests at once one opens it.
        var opening: Set<String> = []
        /// Tickets of sessions that were admitted when they could not be looked at again.
        var unreviewed: Set<String> = []
        var cache = RuleCache()
        var isStoreFailing = false
        /// The change of stream settings up to which sessions have been held against them.
        var reviewedRevision: Int64?
        var reviewUntil = NIODeadline.uptimeNanoseconds(0)
    }

    let store: any Store
    let configuration: AdmissionConfiguration
    /// Opens what is sealed in stream settings.
    private let secret: ServerSecret?
    let countries: CountryDatabase?
    private let logger: Logger
    private let log: LogLimiter
    let now: @Sendable () -> Moment
    let sessions: ViewingSessions
    private let offers: SessionOffers
    private let openViewers = OpenViewers()
    private let state: Mutex<State>
    /// When sessions were last used, of those that the store is to hear of; never more than there may be sessions.
    private let touches = Mutex<[String: Date]>([:])
    private let protectedStreams: [WildcardPattern]

    /// - Parameters:
    ///   - secret: without it no token is good, for nothing can be said of secrets in the store, and sessions on offer are
    ///     known by this node alone.
    ///   - countries: without it lists of countries admit nobody.
    public init(
        store: any Store, configuration: AdmissionConfiguration = AdmissionConfiguration(),
        secret: ServerSecret? = nil, countries: CountryDatabase? = nil,
        logger: Logger = Logger(label: "admission"), now: @escaping @Sendable () -> Moment = { .now() }
    ) {
        self.store = store
        self.configuration = configuration
        self.secret = secret
        self.countries = countries
        self.logger = logger
        log = LogLimiter(logger: logger)
        self.now = now
        protectedStreams = configuration.protectedStreams.map { WildcardPattern($0) }
        sessions = ViewingSessions(timeout: configuration.sessionTimeout)
        offers = SessionOffers(secret: secret?.hmac("sessions on offer") ?? Array(SessionID.make().utf8))
        state = Mutex(State())
    }

    // MARK: What is known of streams

    public func protection(app: String, stream: String, account: AccountID?) async throws -> Protection {
        try await known(.init(app: app, stream: stream)).protection(of: account)
    }

    public func knownProtection(app: String, stream: String, account: AccountID?) -> Protection? {
        knownNow(.init(app: app, stream: stream))?.protection(of: account)
    }

    /// By ticket if the configuration lists the stream or the one it is a rendition of, else as its settings say, those that it
    /// inherits included, else the configured default. By ticket also where nobody owns the app: then no ticket is good. At most
    /// `protectionCacheTime` old.
    func rule(app: String, stream: String) async throws -> ViewingRule {
        try await known(.init(app: app, stream: stream)).rule
    }

    private func known(_ name: ViewingSessions.StreamName) async throws -> RuleCache.Known {
        if let known = knownNow(name) { return known }
        return try await readRule(of: name)
    }

    private func knownNow(_ name: ViewingSessions.StreamName) -> RuleCache.Known? {
        let steady = now().steady
        return state.withLock { $0.cache.rule(name, now: steady) }
    }

    private func readRule(of name: ViewingSessions.StreamName) async throws -> RuleCache.Known {
        let steady = now().steady
        let generation = state.withLock { $0.cache.generation }
        let settings = try await store.streamSettings(app: name.app, stream: name.stream)
        var known = RuleCache.Known(rule: rule(app: name.app, stream: name.stream, settings: settings))
        if known.rule.protection == .open {
            // After the settings: those of an account that is deleted are gone with it, and the configured default is not what it
            // had chosen.
            known.owner = try await store.account(owningApp: name.app)?.id
            if known.owner == nil { known.rule = ViewingRule(protection: .sevu) }
        }
        let time = TimeAmount.milliseconds(Int64(configuration.protectionCacheTime * 1_000))
        state.withLock { $0.cache.set(known, for: name, until: steady + time, generation: generation) }
        return known
    }

    /// How viewers are let in to a stream whose settings come from these rows.
    public func rule(app: String, stream: String, settings: [StreamSettings]) -> ViewingRule {
        let protection = protectionInForce(app: app, stream: stream, settings: settings).protection
        return ViewingRule(
            protection: protection, tokens: protection == .hmac ? tokenRule(settings) : nil,
            places: settings.placesInForce)
    }

    func country(of address: IPAddress) -> PlaceRule.Country {
        countries?.country(of: address) ?? .noDatabase
    }

    /// What tokens are signed with: the first row that has secrets says it. Secrets that cannot be opened make no token good.
    public func tokenRule(_ settings: [StreamSettings]) -> TokenRule? {
        guard let row = settings.first(where: { $0.sealedTokenSecrets != nil }) else { return nil }
        do {
            guard let secret else { return TokenRule(secrets: []) }
            return try row.tokenRule(with: secret)
        } catch {
            log.log(
                .error, "the secrets of tokens cannot be opened, so none is good", "\(error)", address: "", lines: 1,
                ["stream": "\(row.app)/\(row.stream)"])
            return TokenRule(secrets: [])
        }
    }

    func protectionInForce(app: String, stream: String, settings: [StreamSettings]) -> (
        protection: Protection, authority: Explanation.Authority
    ) {
        // The configuration's list is the operator's word: no setting opens what it protects, and no rendition is a way round.
        let names = [stream, VideoName.source(of: stream)].compactMap { $0.map { "\(app)/\($0)" } }
        if let pattern = protectedStreams.first(where: { names.contains(where: $0.matches) }) {
            return (.sevu, .pattern(pattern.description))
        }
        for row in settings {
            if let protection = row.protection { return (protection, .settings(row.stream)) }
        }
        return (configuration.defaultProtection, .configuration)
    }

    /// To be called when stream settings were changed here; other nodes notice within `pollInterval` and `protectionCacheTime`.
    public func streamSettingsChanged() async {
        state.withLock { $0.cache.forgetRules() }
        // When the store does not answer now, the next round of `run` asks again.
        try? await reviewRules()
    }

    /// Ends what streams' rules admit no more: connections that play without being asked for anything, and sessions that were
    /// admitted on other grounds. Without effect when no settings have changed for a while.
    func reviewRules() async throws {
        let revision = try await store.currentSettingsRevision()
        let steady = now().steady
        // Who is being admitted by a rule that is remembered comes after the change.
        let grace = TimeAmount.milliseconds(Int64(configuration.protectionCacheTime * 1_000)) + .seconds(5)
        let isDue = state.withLock { state in
            if state.reviewedRevision != revision { state.reviewUntil = steady + grace }
            return steady < state.reviewUntil
        }
        guard isDue else { return }
        for stream in openViewers.streams where try await readRule(of: stream).rule.protection != .open {
            for end in openViewers.removeAll(of: stream) { end(.revoked) }
        }
        for stream in sessions.streams {
            let rule = try await readRule(of: stream).rule
            let ends = sessions.end(of: stream) { facts, grounds in
                !rule.sustains(grounds) || rule.place(of: facts.address, country: country) == .denied
            }
            for end in ends { end() }
        }
        state.withLock { $0.reviewedRevision = revision }
    }

    public func sessionCookie(for facts: ViewerFacts) async throws -> (text: String, expires: Date)? {
        try await rule(app: facts.app, stream: facts.video).sessionCookie(for: facts, now: now().date)
    }

    /// Sessions of a stream on this node: HLS viewers with a ticket and connections.
    public func viewerCount(app: String, stream: String) -> Int {
        sessions.viewerCount(ViewingSessions.StreamName(app: app, stream: stream))
    }

    /// Sessions that play with a ticket, on all nodes, as its `maximumSessions` counts them.
    public func runningSessions(of ticket: Ticket) async throws -> Int {
        guard let since = runningSince(ticket) else { return 0 }
        return try await store.runningSessions(ofTicket: ticket.id, heardAfter: since)
    }

    /// Sessions of a ticket that were heard of after this run; nil when none can.
    public func runningSince(_ ticket: Ticket) -> Date? {
        let now = now().date
        guard ticket.isActive, now < ticket.expires else { return nil }
        return now.addingTimeInterval(-configuration.runningWindow)
    }

    /// Sessions on this node.
    public var sessionCount: Int {
        sessions.count
    }

    /// The account that an app's attempts are logged for. 0, which no account has, when nobody owns the app: then no ticket is
    /// good for it.
    private func owner(ofApp app: String) async throws -> AccountID {
        let steady = now().steady
        if let known = state.withLock({ $0.cache.owner(app: app, now: steady) }) { return known }
        guard let account = try await store.account(owningApp: app) else { return 0 }
        state.withLock { $0.cache.set(owner: account.id, of: app, until: steady + .seconds(10)) }
        return account.id
    }

    // MARK: Viewers

    public func offer(_ facts: ViewerFacts) async throws -> Verdict<String> {
        let moment = now()
        var facts = facts
        if let verdict = try await judge(&facts, now: moment) {
            if case .refused(let reason) = verdict { return .refused(reason) }
            let viewer = ViewingSessions.Viewer(facts)
            return .granted(
                runningSession(of: viewer, facts, now: moment) ?? offers.id(for: viewer.parts, at: moment.date))
        }
        let viewer = ViewingSessions.Viewer(facts)
        if let running = runningSession(of: viewer, facts, now: moment) { return .granted(running) }
        let accountID = try await owner(ofApp: facts.app)
        switch try await store.preview(request(facts, accountID: accountID, id: "", now: moment.date)) {
        case .granted(let running):
            return .granted(running ?? offers.id(for: viewer.parts, at: moment.date))
        case .refused(let reason):
            store.recordRefusal(
                Attempt(
                    accountID: accountID, date: moment.date, facts: facts, isSuccess: false, reason: reason.rawValue),
                foldingWindow: configuration.foldingWindow)
            return .refused(reason)
        }
    }

    /// An id that is not known here is never adopted. If the facts carry a good key and pass, the viewer joins the session that
    /// runs for them here or elsewhere, or a new one is opened; after a restart that is the presented id itself. Throws what
    /// the store throws, and `AdmissionError`.
    public func admit(_ facts: ViewerFacts, session: String?) async throws -> Verdict<String> {
        let moment = now()
        if let session, sessions.use(session, SessionViewer(facts), now: moment) { return .granted(session) }
        var facts = facts
        let judged = try await judge(&facts, now: moment)
        if case .refused(let reason)? = judged { return .refused(reason) }
        var viewer = ViewingSessions.Viewer(facts)
        var offeredID: String?
        // The playlist may have been of the stream that this one is a rendition of.
        for video in [viewer.video, VideoName.source(of: viewer.video)].compactMap({ $0 }) where offeredID == nil {
            viewer.video = video
            if let session, offers.isGood(session, for: viewer.parts, at: moment.date, within: configuration.offerTime)
            {
                offeredID = session
            }
        }
        if offeredID == nil { viewer.video = facts.video } else { facts.video = viewer.video }
        // The store hears of use in intervals, so whether a session of this node still runs is not for the store to say.
        if let running = runningSession(of: viewer, facts, now: moment),
            sessions.use(running, SessionViewer(facts), now: moment)
        {
            return .granted(running)
        }
        if let grant = judged?.grant {
            guard let offeredID, state.withLock({ $0.opening.insert(offeredID).inserted }) else {
                return try await open(grant, for: facts, id: SessionID.make(), now: moment)
            }
            defer { state.withLock { _ = $0.opening.remove(offeredID) } }
            return try await open(grant, for: facts, id: offeredID, now: moment)
        }
        let accountID = try await owner(ofApp: facts.app)
        var request = request(facts, accountID: accountID, id: offeredID ?? SessionID.make(), now: moment.date)
        request.wasOffered = offeredID != nil
        request.presentedID = offeredID == nil ? session : nil
        return try await open(request, now: moment)
    }

    /// Admits a connection to play (RTMP, SRT). On a protected stream a use is charged for it, whatever else runs, and a refusal
    /// is logged as an attempt.
    ///
    /// - Parameters:
    ///   - account: whose publication it is that plays.
    ///   - onEnd: called once, on any thread, when the ticket is revoked or runs out, or when a stream that needed none
    ///     comes to be protected; perhaps before the caller has dealt with this method's answer (`isRunning` tells). Not called
    ///     after `close`.
    /// - Throws: what the store throws, and `AdmissionError`.
    public func admit(
        connection facts: ViewerFacts, account: AccountID? = nil, onEnd: @escaping @Sendable (EndReason) -> Void
    ) async throws -> Verdict<String> {
        guard try await protection(app: facts.app, stream: facts.video, account: account) != .open else {
            return .granted(openViewers.add(.init(app: facts.app, stream: facts.video), onEnd: onEnd))
        }
        let moment = now()
        var facts = facts
        switch try await judge(&facts, now: moment) {
        case .granted(let grant)?:
            return try await open(grant, for: facts, id: SessionID.make(), now: moment, onEnd: onEnd)
        case .refused(let reason)?: return .refused(reason)
        case nil: break
        }
        let accountID = try await owner(ofApp: facts.app)
        let request = AdmissionRequest(
            facts: facts, accountID: accountID, now: moment.date, sessionID: SessionID.make(), joinWindow: nil,
            runningWindow: configuration.runningWindow, foldingWindow: configuration.foldingWindow)
        return try await open(request, now: moment, onEnd: onEnd)
    }

    /// Counts as use of the session.
    public func permits(_ viewer: SessionViewer, session: String) -> Bool {
        sessions.use(session, viewer, now: now())
    }

    public func sent(_ bytes: Int, session: String) {
        sessions.sent(Int64(bytes), in: session)
    }

    /// The sessions that run on this node with a ticket, of viewers that are meant, the newest first.
    public func reports(where isMeant: (ViewerFacts) -> Bool) -> [SessionReport] {
        sessions.reports(now: now(), where: isMeant).sorted { ($1.started, $0.sessionID) < ($0.started, $1.sessionID) }
    }

    /// Ends a session for good. Its ticket stays what it is: a viewer who has uses left may come again.
    /// - Parameter name: as `SessionReport` has it.
    /// - Returns: false when no session that is meant has that name.
    public func end(sessionNamed name: String, where isMeant: (ViewerFacts) -> Bool) async throws -> Bool {
        guard let id = reports(where: isMeant).first(where: { $0.name == name })?.sessionID else { return false }
        // First where it would be joined again.
        try await store.endSession(id: id)
        guard let end = sessions.end(id) else { return false }
        end()
        return true
    }

    /// Ends the sessions on this node of accounts that are no more.
    public func end(accounts: Set<AccountID>) {
        for end in sessions.end(of: accounts) { end() }
    }

    /// Whether the session is still good.
    public func isRunning(_ session: String) -> Bool {
        sessions.isRunning(session, now: now()) || openViewers.contains(session)
    }

    /// The connection is gone or plays no more. Its place is free then (`Ticket.maximumSessions`), also when it was this node that
    /// ended its session.
    public func close(_ session: String) async {
        openViewers.remove(session)
        guard !OpenViewers.isOne(session) else { return }
        sessions.remove(session)
        do {
            try await store.endSession(id: session)
        } catch {
            // It costs nothing that the store believes it open: a connection's session is never joined.
            logger.debug("session end not stored", metadata: ["error": "\(error)"])
        }
    }

    /// The viewer's HLS session on this node, if what was presented is good for it by the ticket as last heard of. No use need
    /// be left.
    private func runningSession(of viewer: ViewingSessions.Viewer, _ facts: ViewerFacts, now: Moment) -> String? {
        guard let running = sessions.session(of: viewer, now: now),
            TicketDecision.decide(ticket: running.ticket, facts: facts, now: now.date, countsUse: false)
                == .granted(nil)
        else { return nil }
        return running.id
    }

    /// The verdict where the store has no say; nil when a stored ticket is asked for. A refusal is logged as an attempt.
    /// - Parameter facts: come to be what the log and sessions know the viewer by.
    private func judge(_ facts: inout ViewerFacts, now: Moment) async throws -> Verdict<ViewingRule.Grant>? {
        let rule = try await rule(app: facts.app, stream: facts.video)
        facts.token = rule.protection == .hmac ? facts.token : nil
        facts.place = rule.place(of: facts.address, country: country)
        guard rule.protection != .sevu, rule.protection != .open else { return nil }
        let accountID = try await owner(ofApp: facts.app)
        guard let decision = rule.decide(facts, accountID: accountID, now: now.date) else { return nil }
        facts = decision.facts
        if case .refused(let reason) = decision.verdict {
            store.recordRefusal(
                Attempt(
                    accountID: accountID, date: now.date, facts: facts, isSuccess: false, reason: reason.rawValue),
                foldingWindow: configuration.foldingWindow)
        }
        return decision.verdict
    }

    /// Opens a session that is admitted without a stored ticket.
    private func open(
        _ grant: ViewingRule.Grant, for facts: ViewerFacts, id: String, now: Moment,
        onEnd: ViewingSessions.OnEnd? = nil
    ) async throws -> Verdict<String> {
        guard sessions.reserve(maximum: configuration.maximumSessions) else { throw AdmissionError.tooManySessions }
        defer { sessions.release() }
        try await store.recordAdmission(
            Attempt(accountID: grant.ticket.accountID, date: now.date, facts: facts, isSuccess: true, reason: ""))
        var ticket = grant.ticket
        ticket.video = facts.video
        _ = sessions.add(id, ticket: ticket, facts: facts, now: now, grounds: grant.grounds, onEnd: onEnd)
        return .granted(id)
    }

    /// The presented ticket, if it is of the stream's account.
    func ticket(_ facts: ViewerFacts, accountID: AccountID) async throws -> Ticket? {
        guard let key = facts.key, !key.isEmpty, let ticket = try await store.ticket(key: key),
            ticket.accountID == accountID
        else { return nil }
        return ticket
    }

    func request(_ facts: ViewerFacts, accountID: AccountID, id: String, now: Date) -> AdmissionRequest {
        AdmissionRequest(
            facts: facts, accountID: accountID, now: now, sessionID: id, joinWindow: configuration.sessionTimeout,
            runningWindow: configuration.runningWindow, foldingWindow: configuration.foldingWindow)
    }

    /// The one way into the store: decides, charges or joins, and makes it a session of this node.
    ///
    /// - Parameter onEnd: makes it a connection's session.
    private func open(_ request: AdmissionRequest, now: Moment, onEnd: ViewingSessions.OnEnd? = nil) async throws
        -> Verdict<String>
    {
        let polled = try await baseline()
        guard sessions.reserve(maximum: configuration.maximumSessions) else { throw AdmissionError.tooManySessions }
        defer { sessions.release() }
        return try await begin(try await store.admit(request), of: request, now: now, polled: polled, onEnd: onEnd)
    }

    /// Makes what the store granted a session of this node.
    ///
    /// - Parameter polled: the revision up to which changes had been taken in before the store was asked.
    func begin(
        _ verdict: Verdict<AdmittedSession>, of request: AdmissionRequest, now: Moment, polled: Int64,
        onEnd: ViewingSessions.OnEnd? = nil
    ) async throws -> Verdict<String> {
        guard case .granted(let admitted) = verdict else { return verdict.map(\.id) }
        let known = sessions.add(admitted.id, ticket: admitted.ticket, facts: request.facts, now: now, onEnd: onEnd)
        // A change that was taken in while the store admitted did not find this session, and will not come again.
        guard known != polled else { return .granted(admitted.id) }
        do {
            let current = try await store.ticket(key: admitted.ticket.key)
            let verdict = TicketDecision.decide(
                ticket: current, facts: request.facts, now: self.now().date, countsUse: false)
            if let current, case .granted = verdict { ticketChanged(current) }
            guard case .granted = verdict, isRunning(admitted.id) else {
                sessions.remove(admitted.id)
                // Nobody closes a connection's session that it was refused.
                if onEnd != nil { await close(admitted.id) }
                if case .refused(let reason) = verdict { return .refused(reason) }
                return .refused(.revoked)
            }
            return .granted(admitted.id)
        } catch {
            // The use is charged, so the viewer plays; `poll` looks at the ticket as soon as the store answers.
            state.withLock { _ = $0.unreviewed.insert(admitted.ticket.key) }
            return .granted(admitted.id)
        }
    }

    /// The revision up to which ticket changes are known, asked for once before the first session.
    func baseline() async throws -> Int64 {
        if let known = sessions.revision { return known }
        return sessions.revision(orFirst: try await store.currentTicketRevision())
    }

    // MARK: Changes

    /// Takes in a ticket that was changed here (revoked, switched on, given another expiry): sessions it no longer covers
    /// end at once, connections through their `onEnd`.
    public func ticketChanged(_ ticket: Ticket) {
        for end in sessions.update([ticket], now: now()) { end() }
    }

    /// Follows changes of tickets and the clock until cancelled: the body of a service. Writes back the last uses at the end.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    await self.poll()
                    try? await Task.sleep(for: self.configuration.pollInterval)
                }
            }
            group.addTask {
                while !Task.isCancelled {
                    await self.refreshCountries()
                    try? await Task.sleep(for: self.configuration.touchInterval)
                }
            }
            // In tasks of their own: revocations are heard of however long the store takes to write, and however many streams'
            // rules are to be looked at.
            group.addTask {
                while !Task.isCancelled {
                    // `poll` says when the store does not answer.
                    try? await self.reviewRules()
                    try? await Task.sleep(for: self.configuration.pollInterval)
                }
            }
            group.addTask {
                while !Task.isCancelled {
                    await self.writeTouches()
                    try? await Task.sleep(for: self.configuration.touchInterval)
                }
            }
        }
        await writeUses()
    }

    /// Reads the country database when its file was replaced, on a thread of its own. Sessions are then held against it.
    func refreshCountries() async {
        guard let countries else { return }
        let isNew = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: countries.refresh()) }
        }
        if isNew { state.withLock { $0.reviewedRevision = nil } }
    }

    /// One round of `run`: ends what has run out, lets go of idle sessions, and hears of changed tickets. Writes nothing.
    func poll() async {
        let moment = now()
        for end in sessions.expire(now: moment).ends { end() }
        keep(sessions.sweep(now: moment).touches)
        do {
            try await takeInChanges()
            for key in state.withLock({ $0.unreviewed }) {
                if let ticket = try await store.ticket(key: key) { ticketChanged(ticket) }
                state.withLock { _ = $0.unreviewed.remove(key) }
            }
            tellOfStore(isFailing: false, nil)
        } catch {
            tellOfStore(isFailing: true, error)
        }
    }

    /// Writes back when sessions were last used, so that a restart goes on with them.
    public func writeUses() async {
        keep(sessions.unwritten(now: now()))
        await writeTouches()
    }

    private func keep(_ new: [(id: String, date: Date)]) {
        touches.withLock { touches in
            for touch in new where touches.count < configuration.maximumSessions || touches[touch.id] != nil {
                touches[touch.id] = touch.date
            }
        }
    }

    private func takeInChanges() async throws {
        let limit = 1_000
        var revision = try await baseline()
        while !Task.isCancelled {
            let changes = try await store.ticketChanges(after: revision, limit: limit)
            guard let last = changes.last else { return }
            revision = last.revision
            for end in sessions.update(changes, upTo: last.revision, now: now()) { end() }
            if changes.count < limit { return }
        }
    }

    /// Writes what `poll` has collected, in steps, so that no single transaction is long. What cannot be written is lost: the
    /// next touch of the same session says more.
    func writeTouches() async {
        let taken = touches.withLock { touches in
            defer { touches = [:] }
            return touches
        }
        // In the order of their index in the database.
        var rest = taken.sorted { $0.key < $1.key }[...]
        while !rest.isEmpty {
            do {
                try await store.touchSessions(rest.prefix(128).map { SessionTouch(sessionID: $0.key, date: $0.value) })
            } catch {
                logger.debug("uses of sessions not stored", metadata: ["error": "\(error)"])
                return
            }
            rest = rest.dropFirst(128)
        }
    }

    /// Says it once when it begins and once when it is over, not with every round.
    private func tellOfStore(isFailing: Bool, _ error: (any Error)?) {
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

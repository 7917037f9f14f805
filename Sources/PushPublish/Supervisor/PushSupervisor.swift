import Basics
import Foundation
import Live
import Logging
import NIOCore
import Storage

/// Owns every push session: starts them, drives them, ends them.
///
/// Add it to the stage as an observer. All of its calls return quickly, also those the stage waits for: what takes time
/// (lookups, connections, the store) happens elsewhere and comes back as a report. Sessions share nothing but the places
/// for connections on their way to one endpoint, so a destination harms its own session only.
public actor PushSupervisor {
    /// What comes back from connections and timers, in order.
    private enum Report: Sendable {
        case connection(PushSession.ID, number: Int, PushConnectionEvent)
        case retryDue(PushSession.ID, after: Int)
        /// Everything that came before has been handled.
        case marker(@Sendable () -> Void)
    }

    struct ConnectionID: Hashable, Sendable {
        var session: PushSession.ID
        var number: Int
    }

    /// Ended sessions that can still be looked at.
    private static let keptReports = 200

    /// The kinds of destination there are: what reads, documents and masks their fields.
    public nonisolated let kinds: DestinationKinds
    private let configuration: PushConfiguration
    private let store: any PushStore & EventStore
    private let group: any EventLoopGroup
    private let resolver: any HostResolver
    private let policy: AddressPolicy
    private let logger: Logger
    private let eventLog: PushEventLog
    private let reports: AsyncStream<Report>.Continuation
    private let clock: any EventLoop
    private let date: @Sendable () -> Date
    private let random: @Sendable () -> Double

    private var sessions: [PushSession.ID: PushSession] = [:]
    /// The same sessions by their source, oldest first.
    private var sessionsBySource: [StreamAddress: [PushSession]] = [:]
    private var onAir: [StreamAddress: StreamHub] = [:]
    private var isDraining = false
    private var slots: ConnectionSlots<ConnectionID>
    private var lastID = 0
    private var ended: [(id: PushSession.ID, report: PushReport)] = []
    /// When destinations whose session is over had their stream last: see `FailureClass.ghostWindow`.
    private var lastAccepted: [String: NIODeadline] = [:]

    /// - Parameters:
    ///   - group: where connections live; the event loops that hubs live on, so that most pushes share their hub's.
    ///   - clock: the event loop whose time the sessions go by, and whose timers end their pauses; nil: one of `group`.
    ///   - date: for what people read: reports and the event log.
    ///   - random: evenly drawn from 0..<1, for the jitter of the back-off.
    public init(
        configuration: PushConfiguration, kinds: DestinationKinds = .builtIn, store: any PushStore & EventStore,
        group: any EventLoopGroup, resolver: any HostResolver = SystemResolver(), logger: Logger,
        clock: (any EventLoop)? = nil, date: @escaping @Sendable () -> Date = { Date() },
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.kinds = kinds
        self.store = store
        self.group = group
        self.resolver = resolver
        self.policy = AddressPolicy(allowing: configuration.allowPrivate)
        self.logger = logger
        self.eventLog = PushEventLog(store: store, logger: logger)
        self.clock = clock ?? group.any()
        self.date = date
        self.random = random
        self.slots = ConnectionSlots(perAccount: configuration.connectingPerEndpoint)
        // Few and small: three for each connection.
        let (stream, continuation) = AsyncStream.makeStream(of: Report.self)
        reports = continuation
        Task { [weak self] in
            for await report in stream {
                await self?.receive(report)
            }
        }
    }

    deinit {
        reports.finish()
    }

    // MARK: Commands

    /// Starts a stored push; the store is read now, so that changes since the last connect hold.
    ///
    /// When it runs from that source already: a session that is `Retrying` or `Failed` is replaced by one with the
    /// settings as they are now, under the same name, which tries at once; any other makes `alreadyConnected`.
    /// - Parameters:
    ///   - app, instance, stream: override the stored source; what neither gives is a missing field.
    ///   - entryName: nil: the stored push's name, else the profile's.
    /// - Returns: the session's entry name.
    public func connect(
        pushServiceID: Int64, accountID: AccountID, app: String? = nil, instance: String? = nil, stream: String? = nil,
        entryName: String? = nil
    ) async throws(PushError) -> String {
        let row: PushService?
        do {
            row = try await store.push(id: pushServiceID, accountID: accountID)
        } catch {
            throw .storeFailed("\(error)")
        }
        guard let row else { throw .notFound(pushServiceID) }
        let parts = [("app", app ?? row.app), ("inst", instance ?? row.instance), ("stream", stream ?? row.stream)]
        let missing = parts.filter { $0.1 == nil }.map { FieldProblem.missing($0.0) }
        guard missing.isEmpty, let app = parts[0].1, let instance = parts[1].1, let stream = parts[2].1 else {
            throw .invalid(FieldProblems(missing))
        }
        let source = StreamAddress(app: app, instance: instance, stream: stream)
        return try connect(row, source: source, entryName: entryName, endsWithSource: false)
    }

    /// Starts a push that is not stored. Without its stream on air it waits for it.
    ///
    /// A running session from the same source to the same destination is treated as for a stored push.
    /// - Returns: the session's entry name.
    public func connect(_ request: PushRequest) throws(PushError) -> String {
        try connect(request, pushServiceID: nil, storedName: "", endsWithSource: false)
    }

    private func connect(_ row: PushService, source: StreamAddress, entryName: String?, endsWithSource: Bool)
        throws(PushError) -> String
    {
        let request = PushRequest(
            accountID: row.accountID, source: source, service: row.service, fields: row.destination,
            entryName: entryName)
        return try connect(request, pushServiceID: row.id, storedName: row.name, endsWithSource: endsWithSource)
    }

    private func connect(_ request: PushRequest, pushServiceID: Int64?, storedName: String, endsWithSource: Bool)
        throws(PushError) -> String
    {
        guard !isDraining else { throw .draining }
        let (kind, destination) = try check(request)
        var wanted = request.entryName ?? (EntryName.isValid(storedName) ? storedName : kind.profile)
        var endsWithSource = endsWithSource
        let same = sessions(of: request.source).first { session in
            session.definition.accountID == request.accountID
                && (session.definition.destination.identity == destination.identity
                    || (pushServiceID != nil && session.definition.pushServiceID == pushServiceID))
        }
        if let same {
            switch same.machine.status {
            case .retrying, .failed:
                // A stored push that takes the place of another one goes by its own name.
                if request.entryName == nil, storedName.isEmpty || same.definition.pushServiceID == pushServiceID {
                    wanted = same.definition.entryName
                }
                endsWithSource = same.definition.endsWithSource
                handle(.stop(.replaced), same)
            case .waiting, .connecting, .connected, .disconnected:
                throw .alreadyConnected(entryName: same.definition.entryName)
            }
        }
        let count = sessions.values.count { $0.definition.accountID == request.accountID }
        guard count < configuration.maxPerAccount else { throw .tooMany(limit: configuration.maxPerAccount) }
        let taken = sessions.values.map(\.definition).filter {
            $0.source.app == request.source.app && $0.source.instance == request.source.instance
        }.map(\.entryName)
        let entryName = EntryName.free(wanted, taken: Set(taken))
        begin(
            PushSession.Definition(
                accountID: request.accountID, source: request.source, entryName: entryName, service: request.service,
                profile: kind.profile, pushServiceID: pushServiceID, destination: destination,
                endsWithSource: endsWithSource))
        return entryName
    }

    /// What can be known of a request without a connection.
    private func check(_ request: PushRequest) throws(PushError) -> (any DestinationKind, any PushDestination) {
        let source = request.source
        let wrong = [("app", source.app), ("inst", source.instance), ("stream", source.stream)]
            .filter { !StreamAddress.isValidName($0.1) }
            .map { FieldProblem.invalid($0.0, expected: "must be made of letters, digits, - _ . and ~") }
        guard wrong.isEmpty else { throw .invalid(FieldProblems(wrong)) }
        let kind: any DestinationKind
        let destination: any PushDestination
        do throws(FieldProblems) {
            kind = try kinds.kind(request.service)
            destination = try kind.destination(from: request.fields)
        } catch {
            throw .invalid(error)
        }
        if let name = request.entryName, !EntryName.isValid(name) {
            let expected = "must be 1 to 128 printable characters and not *"
            throw .invalid(FieldProblems([.invalid("entry_name", expected: expected)]))
        }
        if let address = IPAddress(destination.host), !policy.permits(address) {
            throw .addressNotAllowed(destination.host)
        }
        return (kind, destination)
    }

    /// Ends the sessions of a stored push, also of one that was removed since; narrowed by what is given of its source.
    ///
    /// Returns when their media has stopped, within a tenth of a second whatever they are doing; they do not come back
    /// until connected again or, for `autopush`, until the next publish.
    /// - Returns: their entry names; empty when none ran.
    public func disconnect(
        pushServiceID: Int64, accountID: AccountID, app: String? = nil, instance: String? = nil, stream: String? = nil
    ) async -> [PushSessionName] {
        await disconnect { push in
            push.pushServiceID == pushServiceID && push.accountID == accountID
                && (app == nil || push.source.app == app) && (instance == nil || push.source.instance == instance)
                && (stream == nil || push.source.stream == stream)
        }
    }

    /// Ends the session of that name on an app and instance, `*` all of them, of one stream when that is given. As
    /// `disconnect(pushServiceID:…)`.
    public func disconnect(
        entryName: String, app: String, instance: String, stream: String? = nil, accountID: AccountID
    ) async -> [PushSessionName] {
        await disconnect { push in
            push.accountID == accountID && push.source.app == app && push.source.instance == instance
                && (stream == nil || push.source.stream == stream)
                && (entryName == EntryName.all || push.entryName == entryName)
        }
    }

    /// Ends all sessions of accounts that are no more. As `disconnect(pushServiceID:…)`.
    public func disconnect(accounts: Set<AccountID>) async {
        _ = await disconnect { accounts.contains($0.accountID) }
    }

    private func disconnect(where isMeant: (PushSession.Definition) -> Bool) async -> [PushSessionName] {
        let meant = sessions.values.filter { isMeant($0.definition) }
        await end(meant, .disconnected)
        return meant.map { PushSessionName($0.definition) }.sorted { $0.entryName < $1.entryName }
    }

    /// Ends every session in an orderly way and returns when they have; no new ones after that.
    public func drain() async {
        isDraining = true
        await end(Array(sessions.values), .draining)
        await eventLog.finish()
        reports.finish()
        // Not waited for: a lookup that hangs cannot be stopped.
        Task { [resolver] in await resolver.shutdown() }
    }

    /// Ends sessions for good; returns when their media has stopped and the destinations were told, or the time for it
    /// is over.
    private func end(_ sessions: [PushSession], _ ending: PushEnding) async {
        for session in sessions {
            handle(.stop(ending), session)
        }
        for task in sessions.compactMap(\.closing) {
            await task.value
        }
    }

    // MARK: Reports

    /// The account's sessions, narrowed by what is given of their source, by source and entry name.
    public func statuses(accountID: AccountID, app: String? = nil, instance: String? = nil, stream: String? = nil) async
        -> [PushReport]
    {
        let candidates: [PushSession]
        if let app, let instance, let stream {
            candidates = sessions(of: StreamAddress(app: app, instance: instance, stream: stream))
        } else {
            candidates = sessions.values.filter { session in
                let source = session.definition.source
                return (app == nil || source.app == app) && (instance == nil || source.instance == instance)
                    && (stream == nil || source.stream == stream)
            }
        }
        let meant = candidates.filter { $0.definition.accountID == accountID }
        // Asked together: each answer comes from the connection's event loop.
        let current = await withTaskGroup(of: (PushSession.ID, PushCounters).self) { group in
            for session in meant {
                guard let client = session.connection?.client else { continue }
                let (id, before) = (session.id, session.counters)
                group.addTask { (id, before + (await client.counters())) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        return meant.map { $0.report(sent: current[$0.id] ?? $0.counters) }.sorted {
            ($0.source, $0.entryName) < ($1.source, $1.entryName)
        }
    }

    /// Sessions that are over, newest last, at most the last 200 of all accounts.
    public func endedSessions(accountID: AccountID) -> [PushReport] {
        ended.map(\.report).filter { $0.accountID == accountID }
    }

    // MARK: Sessions

    /// Adds a session and sets it going.
    private func begin(_ definition: PushSession.Definition) {
        lastID &+= 1
        let now = clock.now
        lastAccepted = lastAccepted.filter { now - $0.value < FailureClass.ghostWindow }
        let machine = PushSessionMachine(
            limits: configuration.backOff, endsWithSource: definition.endsWithSource,
            lastAccepted: lastAccepted[definition.destination.identity])
        let session = PushSession(id: lastID, definition: definition, machine: machine, date: date())
        sessions[session.id] = session
        sessionsBySource[definition.source, default: []].append(session)
        if hub(for: definition) != nil {
            handle(.sourceOnAir, session)
        }
    }

    private func sessions(of source: StreamAddress) -> [PushSession] {
        sessionsBySource[source] ?? []
    }

    /// The source, when it is on air and the account's own.
    private func hub(for definition: PushSession.Definition) -> StreamHub? {
        guard let hub = onAir[definition.source], hub.accountID == definition.accountID else { return nil }
        return hub
    }

    private func handle(_ event: PushSessionMachine.Event, _ session: PushSession) {
        for action in session.machine.handle(event, now: clock.now, jitter: random()) {
            perform(action, session)
        }
    }

    private func receive(_ report: Report) {
        switch report {
        case .retryDue(let id, let number):
            guard let session = sessions[id] else { return }
            session.retry = nil
            handle(.retryDue(after: number), session)
        case .connection(let id, let number, let event):
            guard let session = sessions[id], let connection = session.connection, connection.number == number else {
                return
            }
            receive(event, of: session, number: number, hub: connection.hub)
        case .marker(let reached):
            reached()
        }
    }

    private func receive(_ event: PushConnectionEvent, of session: PushSession, number: Int, hub: StreamHub) {
        switch event {
        case .accepted(let address):
            session.address = address
            releaseSlot(session, number)
            handle(.accepted(connection: number), session)
        case .flowing:
            handle(.flowing(connection: number), session)
        case .failed(let failure, let counters):
            session.counters = session.counters + counters
            session.connection = nil
            releaseSlot(session, number)
            handle(.failed(connection: number, failure), session)
        case .sourceEnded:
            // The stage says so too, but later; all sessions of the stream learn it now.
            if onAir[hub.address] === hub {
                sourceGone(hub.address)
            } else {
                handle(.sourceGone, session)
                if sessions[session.id] != nil, self.hub(for: session.definition) != nil {
                    handle(.sourceOnAir, session)
                }
            }
        }
    }

    private func perform(_ action: PushSessionMachine.Action, _ session: PushSession) {
        switch action {
        case .open(let number): open(session, number)
        case .close(let number): close(session, number)
        case .scheduleRetry(let number, let deadline):
            let (id, reports) = (session.id, reports)
            let timer = clock.scheduleTask(deadline: deadline) {
                _ = reports.yield(.retryDue(id, after: number))
            }
            let pause = Double((deadline - clock.now).nanoseconds) / 1_000_000_000
            session.retry = (timer, date().addingTimeInterval(pause))
        case .cancelRetry:
            session.retry?.timer.cancel()
            session.retry = nil
        case .changed(let from, let to, let reason, let failure):
            session.remember(from: from, to: to, reason: reason, failure: failure, date: date())
            logger.log(
                level: failure == nil ? .info : .warning, "push \(to.rawValue.lowercased())",
                metadata: [
                    "source": "\(session.definition.source)", "entry": "\(session.definition.entryName)",
                    "destination": "\(session.definition.destination.summary)", "reason": "\(reason)",
                ])
        case .logPush(let error):
            let metadata = error.map { ["error": $0.message] } ?? [:]
            eventLog.record(session.event(.push, metadata: metadata, date: date()))
        case .logUnpush(let reason):
            eventLog.record(session.event(.unpush, metadata: ["reason": reason], date: date()))
        case .finished:
            finish(session)
        }
    }

    private func open(_ session: PushSession, _ number: Int) {
        guard let hub = hub(for: session.definition) else {
            handle(.sourceGone, session)
            return
        }
        let (id, reports) = (session.id, reports)
        let context = PushConnectionContext(
            hub: hub, accountID: session.definition.accountID, configuration: configuration, policy: policy,
            resolver: resolver, eventLoop: group.next(), logger: logger,
            report: { event in _ = reports.yield(.connection(id, number: number, event)) })
        let client = session.definition.destination.makeConnection(context)
        session.connection = (number, client, hub)
        let mayStart = slots.acquire(
            ConnectionID(session: id, number: number), endpoint: session.definition.endpoint,
            account: session.definition.accountID)
        if mayStart { client.start() }
    }

    private func close(_ session: PushSession, _ number: Int) {
        guard let connection = session.connection, connection.number == number else { return }
        session.connection = nil
        releaseSlot(session, number)
        let (client, id) = (connection.client, session.id)
        session.closing = Task { [weak self] in
            let counters = await client.close()
            await self?.closed(id, counters)
        }
    }

    private func closed(_ id: PushSession.ID, _ counters: PushCounters) {
        if let session = sessions[id] {
            session.counters = session.counters + counters
        } else if let index = ended.lastIndex(where: { $0.id == id }) {
            ended[index].report.bytesSent &+= counters.bytes
            ended[index].report.droppedFrames &+= counters.droppedFrames
        }
    }

    private func releaseSlot(_ session: PushSession, _ number: Int) {
        let next = slots.release(
            ConnectionID(session: session.id, number: number), endpoint: session.definition.endpoint,
            account: session.definition.accountID)
        guard let next, let connection = sessions[next.session]?.connection, connection.number == next.number else {
            return
        }
        connection.client.start()
    }

    private func finish(_ session: PushSession) {
        sessions[session.id] = nil
        let others = sessions(of: session.definition.source).filter { $0 !== session }
        sessionsBySource[session.definition.source] = others.isEmpty ? nil : others
        if let accepted = session.machine.lastAccepted {
            lastAccepted[session.definition.destination.identity] = accepted
        }
        if ended.count >= PushSupervisor.keptReports { ended.removeFirst() }
        ended.append((session.id, session.report(sent: session.counters)))
    }

    /// Returns when everything that connections and timers have reported until now has been handled.
    func settle() async {
        let reports = reports
        await withCheckedContinuation { continuation in
            if case .enqueued = reports.yield(.marker { continuation.resume() }) { return }
            continuation.resume()
        }
    }
}

extension PushSupervisor: StageObserver {
    public func hubOpened(_ hub: StreamHub) {}

    /// Sessions that wait for the stream go on, and its `autopush` pushes start.
    ///
    /// The publisher waits for this call, so nothing here waits for anybody. `isReturn`: pushes never left, and one that
    /// was disconnected stays so until the next publish.
    public func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) {
        let known = onAir[hub.address]
        guard known !== hub, !isDraining else { return }
        if known != nil {
            // The old hub's end is still on its way here.
            sourceGone(hub.address)
        }
        onAir[hub.address] = hub
        for session in sessions(of: hub.address) where session.definition.accountID == hub.accountID {
            handle(.sourceOnAir, session)
        }
        guard !isReturn else { return }
        Task { await self.autopush(hub) }
    }

    public func unpublished(_ hub: StreamHub, last publisher: Publisher) {
        guard onAir[hub.address] === hub else { return }
        sourceGone(hub.address)
    }

    /// Every session of that stream learns that it is off the air.
    private func sourceGone(_ address: StreamAddress) {
        onAir[address] = nil
        for session in sessions(of: address) {
            handle(.sourceGone, session)
        }
    }

    private func autopush(_ hub: StreamHub) async {
        let address = hub.address
        guard let rows = await storedPushes(of: address) else { return }
        // The stream may have ended, or ended and come back, meanwhile.
        guard onAir[address] === hub, !isDraining else { return }
        for row in rows where row.accountID == hub.accountID {
            do throws(PushError) {
                _ = try connect(row, source: address, entryName: nil, endsWithSource: true)
            } catch {
                if case .alreadyConnected = error { continue }
                logger.warning(
                    "stored push not started",
                    metadata: ["stream": "\(address)", "push_service_id": "\(row.id)", "error": "\(error)"])
                eventLog.record(
                    OriginEvent(
                        accountID: row.accountID, date: date(), kind: .push, app: address.app,
                        instance: address.instance, stream: address.stream,
                        metadata: ["push_service_id": String(row.id), "error": error.description]))
            }
        }
    }

    /// The stream's `autopush` pushes; nil when the store cannot say in three tries, a second apart.
    private func storedPushes(of address: StreamAddress) async -> [PushService]? {
        for attempt in 1...3 {
            do {
                return try await store.autopushes(
                    app: address.app, instance: address.instance, stream: address.stream)
            } catch {
                logger.error(
                    "stored pushes could not be read", metadata: ["stream": "\(address)", "error": "\(error)"])
                guard attempt < 3 else { return nil }
                try? await clock.scheduleTask(in: .seconds(1)) {}.futureResult.get()
            }
        }
        return nil
    }
}

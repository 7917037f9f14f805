import Basics
import Foundation
import Live
import Logging
import NIOCore
import Storage

/// Owns every push session: starts them, drives them, ends them.
///
/// Add it to the stage as an observer. All of its calls return quickly, also those the stage waits for: what takes time
/// (lookups, connections, the store) happens elsewhere and comes back as an event. Sessions share nothing but the limit on
/// attempts per host, so a far end harms its own session only.
public actor PushSupervisor {
    enum Mail: Sendable {
        case attempt(PushSession.ID, number: Int, AttemptEvent)
        case retryDue(PushSession.ID, number: Int)
    }

    struct SlotID: Hashable, Sendable {
        var session: PushSession.ID
        var attempt: Int
    }

    /// Ended sessions that can still be looked at.
    static let keptReports = 200

    let configuration: PushConfiguration
    let kinds: DestinationKinds
    let store: any PushStore & EventStore
    let group: any EventLoopGroup
    let resolver: any HostResolver
    let policy: AddressPolicy
    let logger: Logger
    let eventLog: PushEventLog
    private let mail: AsyncStream<Mail>.Continuation
    private let random: @Sendable () -> Double

    var sessions: [PushSession.ID: PushSession] = [:]
    var onAir: [StreamAddress: StreamHub] = [:]
    var isDraining = false
    private var slots: HostSlots<SlotID>
    private var lastID = 0
    private var ended: [(id: PushSession.ID, report: PushReport)] = []
    /// When destinations whose session is over had their stream last: see `FailureClass.ghostWindow`.
    private var lastAccepted: [String: NIODeadline] = [:]

    /// - Parameters:
    ///   - group: where connections live; the event loops that hubs live on, so that most pushes share their hub's.
    ///   - random: evenly drawn from 0..<1, for the jitter of the back-off.
    public init(
        configuration: PushConfiguration, kinds: DestinationKinds = .builtIn, store: any PushStore & EventStore,
        group: any EventLoopGroup, resolver: any HostResolver = SystemResolver(), logger: Logger,
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
        self.random = random
        self.slots = HostSlots(limit: configuration.attemptsPerHost)
        // Few and small: three for each attempt.
        let (stream, continuation) = AsyncStream.makeStream(of: Mail.self)
        mail = continuation
        Task { [weak self] in
            for await item in stream {
                await self?.receive(item)
            }
        }
    }

    deinit {
        mail.finish()
    }

    /// Adds a session and sets it going.
    func begin(_ order: PushSession.Order) -> PushSession {
        lastID &+= 1
        let now = NIODeadline.now()
        lastAccepted = lastAccepted.filter { now - $0.value < FailureClass.ghostWindow }
        let machine = PushSessionMachine(
            limits: configuration.backOff, endsWithSource: order.endsWithSource,
            lastAccepted: lastAccepted[order.destination.identity])
        let session = PushSession(id: lastID, order: order, machine: machine)
        sessions[session.id] = session
        if hub(for: order) != nil {
            handle(.sourceOnAir, session)
        }
        return session
    }

    /// The source, when it is on air and the account's own.
    private func hub(for order: PushSession.Order) -> StreamHub? {
        guard let hub = onAir[order.source], hub.accountID == order.accountID else { return nil }
        return hub
    }

    func handle(_ event: PushSessionMachine.Event, _ session: PushSession) {
        for action in session.machine.handle(event, now: .now(), jitter: random()) {
            perform(action, session)
        }
    }

    private func receive(_ mail: Mail) {
        switch mail {
        case .retryDue(let id, let number):
            guard let session = sessions[id] else { return }
            session.nextAttempt = nil
            handle(.retryDue(attempt: number), session)
        case .attempt(let id, let number, let event):
            guard let session = sessions[id], let attempt = session.attempt, attempt.number == number else { return }
            receive(event, of: session, number: number, hub: attempt.hub)
        }
    }

    private func receive(_ event: AttemptEvent, of session: PushSession, number: Int, hub: StreamHub) {
        switch event {
        case .accepted(let address):
            session.address = address
            releaseSlot(session, number)
            handle(.accepted(attempt: number), session)
        case .flowing:
            handle(.flowing(attempt: number), session)
        case .failed(let failure, let counters):
            session.counters = session.counters + counters
            session.attempt = nil
            releaseSlot(session, number)
            handle(.failed(attempt: number, failure), session)
        case .sourceEnded:
            // The stage says so too, but later; all sessions of the stream learn it now.
            if onAir[hub.address] === hub {
                sourceGone(hub.address)
            } else {
                handle(.sourceGone, session)
                if sessions[session.id] != nil, self.hub(for: session.order) != nil { handle(.sourceOnAir, session) }
            }
        }
    }

    private func perform(_ action: PushSessionMachine.Action, _ session: PushSession) {
        switch action {
        case .open(let number): open(session, number)
        case .close(let number): close(session, number)
        case .scheduleRetry(let number, let deadline):
            let (id, mail) = (session.id, mail)
            session.nextAttempt = Date(
                timeIntervalSinceNow: Double((deadline - .now()).nanoseconds) / 1_000_000_000)
            session.retry = group.any().scheduleTask(deadline: deadline) {
                _ = mail.yield(.retryDue(id, number: number))
            }
        case .cancelRetry:
            session.retry?.cancel()
            session.retry = nil
            session.nextAttempt = nil
        case .changed(let from, let to, let reason, let failure):
            session.note(from: from, to: to, reason: reason, failure: failure)
            logger.log(
                level: failure == nil ? .info : .warning, "push \(to.rawValue.lowercased())",
                metadata: [
                    "source": "\(session.order.source)", "entry": "\(session.order.entryName)",
                    "destination": "\(session.order.destination.summary)", "reason": "\(reason)",
                ])
        case .logPush(let error):
            eventLog.record(session.event(.push, metadata: error.map { ["error": $0.message] } ?? [:]))
        case .logUnpush(let reason):
            eventLog.record(session.event(.unpush, metadata: ["reason": reason]))
        case .finished:
            finish(session)
        }
    }

    private func open(_ session: PushSession, _ number: Int) {
        guard let hub = hub(for: session.order) else {
            handle(.sourceGone, session)
            return
        }
        let (id, mail) = (session.id, mail)
        let context = AttemptContext(
            hub: hub, configuration: configuration, policy: policy, resolver: resolver, eventLoop: group.next(),
            logger: logger, report: { event in _ = mail.yield(.attempt(id, number: number, event)) })
        let client = session.order.destination.makeAttempt(context)
        session.attempt = (number, client, hub)
        if slots.acquire(SlotID(session: id, attempt: number), host: session.order.destination.host) {
            client.start()
        }
    }

    private func close(_ session: PushSession, _ number: Int) {
        guard let attempt = session.attempt, attempt.number == number else { return }
        session.attempt = nil
        releaseSlot(session, number)
        let (client, id) = (attempt.client, session.id)
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
        let id = SlotID(session: session.id, attempt: number)
        guard let next = slots.release(id, host: session.order.destination.host),
            let attempt = sessions[next.session]?.attempt, attempt.number == next.attempt
        else { return }
        attempt.client.start()
    }

    private func finish(_ session: PushSession) {
        sessions[session.id] = nil
        if let accepted = session.machine.lastAccepted {
            lastAccepted[session.order.destination.identity] = accepted
        }
        if ended.count >= PushSupervisor.keptReports { ended.removeFirst() }
        ended.append((session.id, session.report(current: PushCounters())))
    }

    /// Sessions that are over, newest last, at most the last 200 of all accounts.
    public func endedSessions(accountID: AccountID) -> [PushReport] {
        ended.map(\.report).filter { $0.accountID == accountID }
    }

    /// Every session of that stream learns that it is off the air.
    func sourceGone(_ address: StreamAddress) {
        onAir[address] = nil
        for session in sessions.values.filter({ $0.order.source == address }).sorted(by: { $0.id < $1.id }) {
            handle(.sourceGone, session)
        }
    }

    /// Ends every session in an orderly way and returns when they have; no new ones after that.
    public func drain() async {
        isDraining = true
        await end(Array(sessions.values), .draining)
        await eventLog.finish()
        mail.finish()
        if let resolver = resolver as? SystemResolver {
            // Not waited for: a lookup that hangs cannot be stopped.
            Task { await resolver.shutdown() }
        }
    }

    /// Ends sessions for good; returns when their media has stopped and the far ends were told, or the time for it is over.
    func end(_ sessions: [PushSession], _ ending: PushEnding) async {
        for session in sessions {
            handle(.stop(ending), session)
        }
        for task in sessions.compactMap(\.closing) {
            await task.value
        }
    }
}

import Basics
import Foundation
import NIOCore
import Synchronization
import Usher

/// The viewing sessions of this node. May be used from any task; reads no clock and does no I/O.
///
/// Each segment asks for one session, so sessions lie in shards by id, each with a lock of its own that is held for one look-up.
/// What joins sessions (ticket, viewer, stream) lies in a directory under another lock, which segments never take. Nothing that
/// is done under a lock grows with the number of sessions: what falls due is found in queues, and what concerns all sessions of
/// a ticket is done one session at a time. Where both locks are held, the directory's is taken first.
final class ViewingSessions: Sendable {
    typealias OnEnd = @Sendable (EndReason) -> Void

    /// What makes two HLS requests one session (docs/decisions/0005-tickets.md).
    struct Viewer: Hashable, Sendable {
        var key: String
        var address: String
        var app: String
        var video: String

        init(_ facts: ViewerFacts) {
            key = facts.key ?? ""
            address = IPAddress(facts.address)?.description ?? facts.address
            app = facts.app
            video = facts.video
        }

        /// What an id on offer is bound to.
        var parts: [String] { [key, address, app, video] }
    }

    struct StreamName: Hashable, Sendable {
        var app: String
        var stream: String
    }

    /// What never changes of a session. An object, so that tables which grow move a reference and not all of this.
    fileprivate final class Admitted: Sendable {
        /// Whose ticket or token it was admitted with.
        let accountID: AccountID
        /// As when it was admitted; `video` is the one the session is for, of which the viewer may take renditions.
        let facts: ViewerFacts
        let viewer: Viewer
        /// Where it may be used from.
        let network: IPNetwork
        let started: Date
        let grounds: ViewingRule.Grounds
        /// Set for a connection (RTMP, SRT), which lasts until it is closed; nil for HLS, which lasts while it is used.
        let onEnd: OnEnd?

        init(
            accountID: AccountID, facts: ViewerFacts, network: IPNetwork, started: Date, grounds: ViewingRule.Grounds,
            onEnd: OnEnd?
        ) {
            self.accountID = accountID
            self.facts = facts
            viewer = Viewer(facts)
            self.network = network
            self.started = started
            self.grounds = grounds
            self.onEnd = onEnd
        }
    }

    fileprivate struct Session: Sendable {
        let admitted: Admitted
        /// When its ticket runs out.
        var expires: Date
        var lastSeen: NIODeadline
        /// Sent in this session.
        var bytes: Int64 = 0
        /// The `lastSeen` that the store knows, which knows sessions with stored tickets only.
        var written: NIODeadline

        func isRunning(_ now: Moment, timeout: TimeAmount) -> Bool {
            now.date < expires && !isIdle(now.steady, timeout: timeout)
        }

        func isIdle(_ now: NIODeadline, timeout: TimeAmount) -> Bool {
            admitted.onEnd == nil && now - lastSeen >= timeout
        }

        /// A viewer who presents a key presents the session's; segments come without one.
        mutating func use(_ other: SessionViewer, _ now: Moment, timeout: TimeAmount) -> Bool {
            guard admitted.facts.app == other.app, other.key == nil || other.key == admitted.facts.key,
                other.address.map(admitted.network.contains) ?? false,
                VideoName.isSame(other.video, orFormOf: admitted.facts.video), isRunning(now, timeout: timeout)
            else { return false }
            lastSeen = max(lastSeen, now.steady)
            return true
        }
    }

    fileprivate struct Shard: Sendable {
        var sessions: [String: Session] = [:]
        /// When a session is to be looked at next: whether it is idle, and whether the store must hear that it is used.
        var due = DueQueue<String, NIODeadline>()
    }

    private final class LockedShard: Sendable {
        let shard = Mutex(Shard())
    }

    /// The ticket as last heard of, and its sessions here.
    fileprivate struct TicketEntry: Sendable {
        var ticket: Ticket
        var sessions: Set<String> = []
    }

    fileprivate struct Directory: Sendable {
        var tickets: [String: TicketEntry] = [:]
        /// No session of a ticket runs out before the time given here.
        var expiries = DueQueue<String, Date>()
        var viewers: [Viewer: String] = [:]
        var counts: [StreamName: Int] = [:]
        var count = 0
        /// Admissions under way, which count as sessions already.
        var entering = 0
        /// Every ticket change up to this one has been taken in; nil before the first question.
        var revision: Int64?

        mutating func forget(_ id: String, _ session: Session) {
            count -= 1
            if let index = tickets.index(forKey: session.admitted.viewer.key) {
                tickets.values[index].sessions.remove(id)
                if tickets.values[index].sessions.isEmpty {
                    tickets.remove(at: index)
                    expiries.remove(session.admitted.viewer.key)
                }
            }
            if viewers[session.admitted.viewer] == id { viewers[session.admitted.viewer] = nil }
            let stream = StreamName(app: session.admitted.facts.app, stream: session.admitted.facts.video)
            let left = (counts[stream] ?? 1) - 1
            counts[stream] = left > 0 ? left : nil
        }
    }

    private let directory = Mutex(Directory())
    private let shards: [LockedShard]
    /// An HLS session without a request for this long is over.
    fileprivate let timeout: TimeAmount
    /// The store hears that a session is used at most this often.
    fileprivate let touchInterval: TimeAmount
    /// Sessions that one holding of a shard's lock looks at.
    fileprivate static let step = 128

    /// - Parameter timeout: in seconds.
    init(timeout: TimeInterval, shards: Int = 64) {
        let nanoseconds = Int64(max(0, min(timeout, 1e9)) * 1e9)
        self.timeout = .nanoseconds(nanoseconds)
        touchInterval = .nanoseconds(nanoseconds / 3)
        self.shards = (0..<max(1, shards)).map { _ in LockedShard() }
    }

    private func locked(_ id: String) -> LockedShard {
        var hasher = Hasher()
        hasher.combine(id)
        return shards[Int(UInt(bitPattern: hasher.finalize()) % UInt(shards.count))]
    }

    var count: Int {
        directory.withLock { $0.count }
    }

    func viewerCount(_ stream: StreamName) -> Int {
        directory.withLock { $0.counts[stream] ?? 0 }
    }

    /// For tests: which memory a ticket's sessions lie in, so that a copy shows.
    func storageOfSessions(ofTicket key: String) -> UInt? {
        directory.withLock { directory in
            directory.tickets[key].map { unsafeBitCast($0.sessions, to: UInt.self) }
        }
    }

    // MARK: One session

    /// Whether the session runs and may be used by the viewer now; if so it counts as used.
    func use(_ id: String, _ viewer: SessionViewer, now: Moment) -> Bool {
        locked(id).shard.withLock { shard in
            guard let index = shard.sessions.index(forKey: id) else { return false }
            return shard.sessions.values[index].use(viewer, now, timeout: timeout)
        }
    }

    func isRunning(_ id: String, now: Moment) -> Bool {
        locked(id).shard.withLock { $0.sessions[id]?.isRunning(now, timeout: timeout) ?? false }
    }

    /// The running HLS session of this viewer, and its ticket as last heard of.
    func session(of viewer: Viewer, now: Moment) -> (id: String, ticket: Ticket)? {
        let known = directory.withLock { directory -> (String, Ticket)? in
            guard let id = directory.viewers[viewer], let ticket = directory.tickets[viewer.key]?.ticket else {
                return nil
            }
            return (id, ticket)
        }
        guard let known, isRunning(known.0, now: now) else { return nil }
        return known
    }

    /// Keeps a place for a session that is being admitted; `release` gives it back. False when there are `maximum` already.
    func reserve(maximum: Int) -> Bool {
        directory.withLock { directory in
            guard directory.count + directory.entering < maximum else { return false }
            directory.entering += 1
            return true
        }
    }

    func release() {
        directory.withLock { $0.entering -= 1 }
    }

    /// Adds a session that the store granted. One that is here already is marked as used.
    ///
    /// - Returns: the revision up to which ticket changes had been taken in when the session came to be known.
    func add(
        _ id: String, ticket: Ticket, facts: ViewerFacts, now: Moment, started: Date? = nil,
        grounds: ViewingRule.Grounds = .ticket, onEnd: OnEnd? = nil
    ) -> Int64? {
        let address = IPAddress(facts.address) ?? IPAddress(v4: 0)
        var network = TicketDecision.sessionNetwork(for: address, ticket: ticket)
        // Next door may be another country, and segments are not asked where they go.
        if facts.place == .admitted {
            network = IPNetwork(address, prefix: max(network.prefix, IPNetwork.ofCustomer(address).prefix))
        }
        let session = Session(
            admitted: Admitted(
                accountID: ticket.accountID, facts: facts, network: network, started: started ?? now.date,
                grounds: grounds, onEnd: onEnd),
            expires: ticket.expires, lastSeen: now.steady,
            written: grounds == .ticket ? now.steady : .distantFuture)
        let locked = locked(id)
        return directory.withLock { directory in
            let isNew = locked.shard.withLock { shard in
                if let index = shard.sessions.index(forKey: id) {
                    shard.sessions.values[index].lastSeen = max(shard.sessions.values[index].lastSeen, now.steady)
                    return false
                }
                shard.sessions[id] = session
                shard.due.set(id, now.steady + (onEnd == nil ? touchInterval : timeout))
                return true
            }
            guard isNew else { return directory.revision }
            let key = session.admitted.viewer.key
            directory.tickets[key, default: TicketEntry(ticket: ticket)].sessions.insert(id)
            // A known ticket whose rules have changed is left as it was: `update` must still find what changed, for the sessions
            // it has already. Uses and claimed networks are no such change.
            if let index = directory.tickets.index(forKey: key),
                directory.tickets.values[index].ticket.revision == ticket.revision,
                directory.tickets.values[index].ticket.usedCount < ticket.usedCount
            {
                directory.tickets.values[index].ticket = ticket
            }
            directory.expiries.set(key, min(directory.expiries.time(of: key) ?? .distantFuture, ticket.expires))
            if onEnd == nil { directory.viewers[session.admitted.viewer] = id }
            directory.counts[StreamName(app: facts.app, stream: facts.video), default: 0] += 1
            directory.count += 1
            return directory.revision
        }
    }

    /// - Returns: whether there was such a session.
    @discardableResult
    func remove(_ id: String) -> Bool {
        take(id) { _, _ in true } != nil
    }

    /// Removes the session if the condition still holds when both locks are held.
    private func take(_ id: String, where condition: (Session, Directory) -> Bool) -> Session? {
        let locked = locked(id)
        return directory.withLock { directory in
            let taken = locked.shard.withLock { shard -> Session? in
                guard let session = shard.sessions[id], condition(session, directory) else { return nil }
                shard.due.remove(id)
                return shard.sessions.removeValue(forKey: id)
            }
            if let taken { directory.forget(id, taken) }
            return taken
        }
    }

    /// Counts what was sent in a session; without effect when there is none.
    func sent(_ bytes: Int64, in id: String) {
        locked(id).shard.withLock { shard in
            guard let index = shard.sessions.index(forKey: id) else { return }
            shard.sessions.values[index].bytes = shard.sessions.values[index].bytes.addingSaturated(bytes)
        }
    }

    /// The running sessions of viewers that are meant. Looks at all, one shard at a time.
    func reports(now: Moment, where isMeant: (ViewerFacts) -> Bool) -> [SessionReport] {
        shards.flatMap { locked in
            locked.shard.withLock { shard in
                shard.sessions.filter { $0.value.isRunning(now, timeout: timeout) && isMeant($0.value.admitted.facts) }
                    .map {
                        SessionReport(
                            sessionID: $0.key, facts: $0.value.admitted.facts,
                            started: $0.value.admitted.started, bytes: $0.value.bytes)
                    }
            }
        }
    }

    /// The running HLS sessions, each with its ticket as last heard of.
    func saved(now: Moment) -> [SavedSessions.Session] {
        let tickets = directory.withLock { $0.tickets.mapValues(\.ticket) }
        return shards.flatMap { locked in
            locked.shard.withLock { shard in
                shard.sessions.compactMap { id, session in
                    guard session.admitted.onEnd == nil, session.isRunning(now, timeout: timeout),
                        let ticket = tickets[session.admitted.viewer.key]
                    else { return nil }
                    return SavedSessions.Session(
                        id: id, ticket: ticket, facts: session.admitted.facts, grounds: session.admitted.grounds,
                        started: session.admitted.started)
                }
            }
        }
    }

    /// Ends a session.
    /// - Returns: what to call, outside of any lock; nil when there is no such session.
    func end(_ id: String) -> (@Sendable () -> Void)? {
        guard let taken = take(id, where: { _, _ in true }) else { return nil }
        return { taken.admitted.onEnd?(.revoked) }
    }

    // MARK: Changes of streams' rules

    /// Streams that are played in sessions.
    var streams: [StreamName] {
        directory.withLock { Array($0.counts.keys) }
    }

    /// Ends sessions of a stream. Looks at all there are, one shard at a time.
    /// - Returns: what to call, outside of any lock.
    func end(
        of stream: StreamName, where isOver: (ViewerFacts, ViewingRule.Grounds) -> Bool
    ) -> [@Sendable () -> Void] {
        let ids = shards.flatMap { locked in
            locked.shard.withLock { shard in
                shard.sessions.filter { _, session in
                    session.admitted.facts.app == stream.app && session.admitted.facts.video == stream.stream
                        && isOver(session.admitted.facts, session.admitted.grounds)
                }.keys.map { $0 }
            }
        }
        return ids.compactMap(end)
    }

    /// Ends all sessions of accounts. Looks at all there are, one shard at a time.
    /// - Returns: what to call, outside of any lock.
    func end(of accounts: Set<AccountID>) -> [@Sendable () -> Void] {
        let ids = shards.flatMap { locked in
            locked.shard.withLock { shard in
                shard.sessions.filter { accounts.contains($0.value.admitted.accountID) }.keys.map { $0 }
            }
        }
        return ids.compactMap(end)
    }

    // MARK: Changes of tickets

    /// The revision up to which ticket changes are known; `first` when none was before.
    func revision(orFirst first: Int64) -> Int64 {
        directory.withLock { directory in
            let revision = directory.revision ?? first
            directory.revision = revision
            return revision
        }
    }

    /// nil before the first call of `revision(orFirst:)`.
    var revision: Int64? {
        directory.withLock { $0.revision }
    }

    /// Takes in what tickets are now, and ends their sessions that they no longer cover.
    ///
    /// - Parameter revision: every change up to this one is among `tickets` or was taken in before. It is set together with the
    ///   tickets, so a session that is added later is either found here or learns from `add` that it must look again.
    /// - Returns: what to call, outside of any lock.
    func update(_ tickets: [Ticket], upTo revision: Int64? = nil, now: Moment) -> [@Sendable () -> Void] {
        let changed = directory.withLock { directory in
            if let revision { directory.revision = max(directory.revision ?? 0, revision) }
            return tickets.compactMap { directory.takeIn($0) }
        }
        return changed.flatMap { review($0.ticket, $0.sessions, now: now) }
    }

    /// Looks at each session of a ticket whose rules have changed.
    private func review(_ ticket: Ticket, _ sessions: Set<String>, now: Moment) -> [@Sendable () -> Void] {
        var ends: [@Sendable () -> Void] = []
        for id in sessions {
            let known = locked(id).shard.withLock { $0.sessions[id].map { ($0.admitted.facts, $0.expires) } }
            guard let (facts, expires) = known else { continue }
            guard let reason = Self.ending(ticket, facts, now: now.date) else {
                if expires != ticket.expires { setExpiry(of: id, by: ticket) }
                continue
            }
            // What a newer change says of the session is decided where that is taken in.
            let taken = take(id) { _, directory in
                directory.tickets[ticket.key]?.ticket.revision == ticket.revision
            }
            if let onEnd = taken?.admitted.onEnd { ends.append { onEnd(reason) } }
        }
        return ends
    }

    /// Why a session ends under what its ticket is now; nil when it goes on. What ends all sessions alike is looked at first,
    /// for it is the usual change.
    private static func ending(_ ticket: Ticket, _ facts: ViewerFacts, now: Date) -> EndReason? {
        guard ticket.isActive else { return .revoked }
        guard now < ticket.expires else { return .expired }
        let verdict = TicketDecision.decide(ticket: ticket, facts: facts, now: now, countsUse: false)
        return verdict.grant == nil ? .revoked : nil
    }

    private func setExpiry(of id: String, by ticket: Ticket) {
        let locked = locked(id)
        directory.withLock { directory in
            guard directory.tickets[ticket.key]?.ticket.revision == ticket.revision else { return }
            locked.shard.withLock { $0.sessions[id]?.expires = ticket.expires }
        }
    }

    // MARK: Time

    /// What `expire` did.
    struct Expired: Sendable {
        /// What to call, outside of any lock.
        var ends: [@Sendable () -> Void] = []
        /// How many sessions were looked at.
        var visited = 0
    }

    /// Ends sessions whose ticket has run out. Looks only at tickets of which one may have.
    func expire(now: Moment) -> Expired {
        var expired = Expired()
        while let (key, sessions) = directory.withLock({ $0.popExpired(now: now.date) }) {
            var next: Date?
            expired.visited += sessions.count
            for id in sessions {
                if let taken = take(id, where: { session, _ in session.expires <= now.date }) {
                    if let onEnd = taken.admitted.onEnd { expired.ends.append { onEnd(.expired) } }
                } else if let expires = locked(id).shard.withLock({ $0.sessions[id]?.expires }) {
                    next = min(next ?? expires, expires)
                }
            }
            guard let next else { continue }
            directory.withLock { directory in
                guard directory.tickets[key] != nil else { return }
                directory.expiries.set(key, min(directory.expiries.time(of: key) ?? next, next))
            }
        }
        return expired
    }

    /// What `sweep` found.
    struct Swept: Sendable {
        /// Sessions used since the store was last told, and when.
        var touches: [(id: String, date: Date)] = []
        /// How many sessions were looked at.
        var visited = 0
    }

    /// Lets go of HLS sessions nobody uses any more, and says which others the store must hear of. Looks only at sessions that
    /// are due, each at most once in a third of the time-out. Connections count as used while they last.
    func sweep(now: Moment) -> Swept {
        var swept = Swept()
        for locked in shards {
            while true {
                let (idle, visited) = locked.shard.withLock { $0.visitDue(now, self, &swept.touches) }
                for id in idle {
                    _ = take(id) { session, _ in session.isIdle(now.steady, timeout: timeout) }
                }
                swept.visited += visited
                if visited < Self.step { break }
            }
        }
        return swept
    }

    /// All sessions that were used since the store was last told: for an orderly end, so that a restart goes on with them.
    func unwritten(now: Moment) -> [(id: String, date: Date)] {
        shards.flatMap { locked in
            locked.shard.withLock { shard in
                shard.sessions.filter { $0.value.lastSeen > $0.value.written }.map {
                    ($0.key, now.date(of: $0.value.lastSeen))
                }
            }
        }
    }
}

extension ViewingSessions.Shard {
    /// One step of a sweep.
    fileprivate mutating func visitDue(
        _ now: Moment, _ table: ViewingSessions, _ touches: inout [(id: String, date: Date)]
    ) -> (idle: [String], visited: Int) {
        var idle: [String] = []
        var visited = 0
        while visited < ViewingSessions.step, let id = due.popFirst(notAfter: now.steady) {
            visited += 1
            guard let index = sessions.index(forKey: id) else { continue }
            if sessions.values[index].isIdle(now.steady, timeout: table.timeout) {
                idle.append(id)
                due.set(id, now.steady + table.touchInterval)
                continue
            }
            let isConnection = sessions.values[index].admitted.onEnd != nil
            if isConnection { sessions.values[index].lastSeen = max(sessions.values[index].lastSeen, now.steady) }
            let lastSeen = sessions.values[index].lastSeen
            if lastSeen > sessions.values[index].written {
                sessions.values[index].written = lastSeen
                touches.append((id, now.date(of: lastSeen)))
            }
            let next = now.steady + (isConnection ? table.timeout : table.touchInterval)
            due.set(id, isConnection ? next : min(next, lastSeen + table.timeout))
        }
        return (idle, visited)
    }
}

extension ViewingSessions.Directory {
    /// - Returns: the sessions that must be looked at because the ticket's rules are others than they were.
    fileprivate mutating func takeIn(_ ticket: Ticket) -> (ticket: Ticket, sessions: Set<String>)? {
        guard let index = tickets.index(forKey: ticket.key), ticket.revision >= tickets.values[index].ticket.revision
        else { return nil }
        let isSame = tickets.values[index].ticket.rules == ticket.rules
        tickets.values[index].ticket = ticket
        // Uses change with every viewer; the sessions need looking at only when the rules do.
        guard !isSame else { return nil }
        expiries.set(ticket.key, ticket.expires)
        return (ticket, tickets.values[index].sessions)
    }

    /// The sessions of a ticket that may have run out.
    fileprivate mutating func popExpired(now: Date) -> (key: String, sessions: Set<String>)? {
        while let key = expiries.popFirst(notAfter: now) {
            if let entry = tickets[key] { return (key, entry.sessions) }
        }
        return nil
    }
}

extension Ticket {
    /// What of a ticket decides over a session that runs.
    fileprivate var rules: [String] {
        [pass, ip, app, video, isActive ? "1" : "0", String(expires.timeIntervalSince1970)] + claimedNetworks
    }
}

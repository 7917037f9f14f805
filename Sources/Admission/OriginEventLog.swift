import Basics
import Foundation
import Live
import Logging
import NIOCore
import Storage
import Synchronization

/// Writes what encoders do to the origin's event log (`log.origin`).
///
/// What an encoder causes is bounded: refusals alike are one row that says how many they were (`repeats`), so is what goes
/// beyond a number of rows a minute, rows are written by a task of this log, some at a time, and nobody waits for them.
public final class OriginEventLog: StageObserver {
    private let store: any Store
    private let logger: Logger
    private let now: @Sendable () -> Moment
    private let interval: Duration
    private let events: Mutex<FoldedEvents>

    /// - Parameter interval: the time between two writings.
    public init(
        store: any Store, logger: Logger, interval: Duration = .seconds(1),
        now: @escaping @Sendable () -> Moment = { .now() }
    ) {
        self.store = store
        self.logger = logger
        self.interval = interval
        self.now = now
        events = Mutex(FoldedEvents())
    }

    public func hubOpened(_ hub: StreamHub) async {}

    public func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) async {
        record(.publish, hub.address, hub.accountID, publisher.info, role: publisher.role, isAuthenticated: true)
    }

    /// The other encoder comes on air: a row like the one of its coming, which says why.
    public func switched(_ hub: StreamHub, to publisher: Publisher, because cause: SwitchCause) async {
        record(
            .publish, hub.address, hub.accountID, publisher.info, role: publisher.role, switched: cause,
            isAuthenticated: true)
    }

    public func unpublished(_ hub: StreamHub, last publisher: Publisher) async {
        record(.unpublish, hub.address, hub.accountID, publisher.info, role: publisher.role, isAuthenticated: true)
    }

    /// A refusal is logged for the account that owns the app; for an app of nobody there is nobody to tell. Returns at once.
    ///
    /// - Parameter isAuthenticated: whether it was refused although its login was right.
    public func publishRefused(
        _ stream: StreamAddress, _ info: PublisherInfo, _ refusal: PublishRefusal, isAuthenticated: Bool
    ) {
        record(.publish, stream, 0, info, refusal, isAuthenticated: isAuthenticated)
    }

    /// - Parameter accountID: 0: looked up by the app.
    private func record(
        _ kind: OriginEvent.Kind, _ stream: StreamAddress, _ accountID: AccountID, _ info: PublisherInfo,
        _ refusal: PublishRefusal? = nil, role: EncoderRole = .primary, switched cause: SwitchCause? = nil,
        isAuthenticated: Bool
    ) {
        let moment = now()
        var metadata = ["software": info.software, "protocol": info.transport]
        if role != .primary || cause != nil { metadata["encoder"] = role.rawValue }
        if let cause { metadata["on_air"] = cause.rawValue }
        if let refusal { metadata["error"] = refusal.message }
        let event = OriginEvent(
            accountID: accountID, date: moment.date, kind: kind, app: stream.app, instance: stream.instance,
            stream: stream.stream, isAuthenticated: isAuthenticated, user: info.user, address: info.address,
            metadata: metadata)
        let mustStart = events.withLock { events in
            events.add(event, now: moment.steady)
            return events.startWriting()
        }
        if mustStart { Task { await writeUntilDone() } }
    }

    /// Returns when all events so far are written: for an orderly end.
    public func flush() async {
        while events.withLock({ !$0.isIdle }) {
            // What another task has in hand is not long in coming.
            if await !writeSome() { try? await Task.sleep(for: .milliseconds(5)) }
        }
    }

    private func writeUntilDone() async {
        repeat {
            _ = await writeSome()
            try? await Task.sleep(for: interval)
        } while events.withLock { !$0.stopWriting() }
    }

    /// - Returns: whether there was something to write.
    private func writeSome() async -> Bool {
        let (rows, lost) = events.withLock { ($0.take(), $0.takeLost()) }
        if lost > 0 {
            logger.warning("publishers not logged, there are too many", metadata: ["count": "\(lost)"])
        }
        await withTaskGroup(of: Void.self) { group in
            for row in rows {
                group.addTask { await self.write(row) }
            }
        }
        return !rows.isEmpty
    }

    private func write(_ row: FoldedEvents.Row) async {
        var event = row.event
        do {
            if event.accountID == 0 {
                guard let account = try await store.account(owningApp: event.app) else {
                    events.withLock { $0.wrote(row.key, nil) }
                    return
                }
                event.accountID = account.id
            }
            event = try await store.recordEvent(event)
            events.withLock { $0.wrote(row.key, event) }
        } catch {
            events.withLock { $0.wrote(row.key, nil) }
            logger.debug("event of a publisher not logged", metadata: ["error": "\(error)"])
        }
    }
}

/// What is to be written of encoders' events, with few rows for much of the same: refusals alike within a minute (of one
/// network, stream and reason) are one row. Beyond a number of rows of one source in a minute, all its further events are one
/// row; beyond a number of rows of all sources of a kind, events are only counted. A value without clock and I/O.
struct FoldedEvents: Sendable {
    /// Who is counted together: a network, and for encoders that were let in by a login, that login.
    struct Source: Sendable, Hashable {
        enum Standing: Sendable, Hashable {
            case refused
            /// Let in where no login is asked for.
            case open
            case login
        }

        let network: String
        /// Empty unless the login was looked at and right.
        let user: String
        let standing: Standing
        let kind: OriginEvent.Kind

        fileprivate init(_ event: OriginEvent) {
            network = IPAddress(event.address).map { IPNetwork.ofCustomer($0).description } ?? ""
            let isRefused = event.metadata["error"] != nil
            user = isRefused ? "" : event.user
            standing = isRefused ? .refused : user.isEmpty ? .open : .login
            kind = event.kind
        }

        /// Rows of one minute before the rest is one more.
        var maximumRows: Int { standing == .refused ? 16 : 64 }
    }

    struct Key: Sendable, Hashable {
        var source: Source
        /// nil: the row of everything that is too much from the source.
        var what: What?
    }

    enum What: Sendable, Hashable {
        case refusal(app: String, instance: String, stream: String, reason: String, isAuthenticated: Bool)
        /// A row of its own.
        case event(number: UInt64)

        fileprivate init(_ event: OriginEvent, number: UInt64) {
            guard let reason = event.metadata["error"] else {
                self = .event(number: number)
                return
            }
            self = .refusal(
                app: event.app, instance: event.instance, stream: event.stream, reason: reason,
                isAuthenticated: event.isAuthenticated)
        }
    }

    /// A row to write: a new one, or again with another count when its event has an id.
    struct Row: Sendable {
        var key: Key
        var event: OriginEvent
    }

    private struct Entry: Sendable {
        var event: OriginEvent
        var repeats = 1
        var isBeingWritten = false
        /// Nobody owns the app, or the store failed: folded into until its time is over, and not written.
        var isDropped = false
    }

    private var entries: [Key: Entry] = [:]
    private var ends = DueQueue<Key, NIODeadline>()
    private var rowsOf: [Source: Int] = [:]
    private var rowsOfAll: [Source.Standing: Int] = [:]
    /// Keys that have something to write, in their order.
    private var waiting = DueQueue<Key, UInt64>()
    /// Numbers events.
    private var order: UInt64 = 0
    private var lost = 0
    private var isWriting = false
    /// Rows that were taken and not yet reported.
    private var inHand = 0

    static let window = TimeAmount.minutes(1)
    /// Rows of one minute of all sources of one standing.
    static let maximumRows = 4_096
    /// Rows written at a time.
    static let step = 64

    var count: Int { entries.count }

    mutating func add(_ event: OriginEvent, now: NIODeadline) {
        while let key = ends.popFirst(notAfter: now) { forget(key, now: now) }
        let source = Source(event)
        order &+= 1
        var key = Key(source: source, what: What(event, number: order))
        if entries[key] == nil, rowsOf[source, default: 0] >= source.maximumRows { key.what = nil }
        if entries[key] != nil {
            entries[key]?.repeats += 1
        } else {
            guard rowsOfAll[source.standing, default: 0] < Self.maximumRows else {
                lost += 1
                return
            }
            entries[key] = Entry(event: event)
            ends.set(key, now + Self.window)
            rowsOf[source, default: 0] += 1
            rowsOfAll[source.standing, default: 0] += 1
        }
        if entries[key]?.isDropped == false, waiting.time(of: key) == nil { waiting.set(key, order) }
    }

    /// The next rows to write; each must be reported with `wrote`.
    mutating func take() -> [Row] {
        var rows: [Row] = []
        var later: [(Key, UInt64)] = []
        while rows.count < Self.step, let key = waiting.popFirst(notAfter: .max) {
            guard var entry = entries[key] else { continue }
            guard !entry.isBeingWritten else {
                order &+= 1
                later.append((key, order))
                continue
            }
            entry.isBeingWritten = true
            inHand += 1
            if entry.repeats > 1 { entry.event.metadata["repeats"] = String(entry.repeats) }
            entries[key] = entry
            rows.append(Row(key: key, event: entry.event))
        }
        for (key, order) in later { waiting.set(key, order) }
        return rows
    }

    /// - Parameter event: as it is stored now; nil: it was not written, and will not be.
    mutating func wrote(_ key: Key, _ event: OriginEvent?) {
        guard var entry = entries[key] else { return }
        entry.isBeingWritten = false
        inHand -= 1
        if let event {
            entry.event.id = event.id
            entry.event.accountID = event.accountID
        } else {
            entry.isDropped = true
            waiting.remove(key)
        }
        entries[key] = entry
    }

    /// How many events found no room since the last call.
    mutating func takeLost() -> Int {
        defer { lost = 0 }
        return lost
    }

    /// Nothing waits to be written, and nothing is being written.
    var isIdle: Bool { waiting.count == 0 && inHand == 0 }

    /// Whether the caller must begin to write; somebody else does otherwise.
    mutating func startWriting() -> Bool {
        guard !isWriting, waiting.count > 0 else { return false }
        isWriting = true
        return true
    }

    /// Whether nothing is left to write; if so the caller may go, and the next event starts another.
    mutating func stopWriting() -> Bool {
        guard waiting.count == 0 else { return false }
        isWriting = false
        return true
    }

    /// A row whose minute is over. What still waits to be written is written first, so it is kept for that long.
    private mutating func forget(_ key: Key, now: NIODeadline) {
        guard waiting.time(of: key) == nil, entries[key]?.isBeingWritten != true else {
            ends.set(key, now + .seconds(1))
            return
        }
        entries[key] = nil
        let left = rowsOf[key.source, default: 1] - 1
        rowsOf[key.source] = left > 0 ? left : nil
        rowsOfAll[key.source.standing, default: 1] -= 1
    }
}

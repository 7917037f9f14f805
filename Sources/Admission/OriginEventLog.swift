import Basics
import Foundation
import Live
import Logging
import NIOCore
import Storage
import Synchronization

/// Writes what encoders do to the origin's event log (`log.origin`).
///
/// What a refused encoder causes is bounded: refusals alike are one row that says how many they were (`repeats`), rows are
/// written by a task of this log, some at a time, and nobody waits for them.
public final class OriginEventLog: StageObserver {
    private let store: any Store
    private let logger: Logger
    private let now: @Sendable () -> Moment
    private let interval: Duration
    private let refusals: Mutex<FoldedRefusals>

    /// - Parameter interval: the time between two writings of refusals.
    public init(
        store: any Store, logger: Logger, interval: Duration = .seconds(1),
        now: @escaping @Sendable () -> Moment = { .now() }
    ) {
        self.store = store
        self.logger = logger
        self.interval = interval
        self.now = now
        refusals = Mutex(FoldedRefusals())
    }

    public func hubOpened(_ hub: StreamHub) async {}

    public func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) async {
        await record(.publish, hub, publisher.info)
    }

    public func unpublished(_ hub: StreamHub, last publisher: Publisher) async {
        await record(.unpublish, hub, publisher.info)
    }

    private func record(_ kind: OriginEvent.Kind, _ hub: StreamHub, _ info: PublisherInfo) async {
        do {
            try await store.recordEvent(
                OriginEvent(
                    accountID: hub.accountID, date: now().date, kind: kind, app: hub.address.app,
                    instance: hub.address.instance, stream: hub.address.stream, isAuthenticated: true, user: info.user,
                    address: info.address, metadata: ["software": info.software, "protocol": info.transport]))
        } catch {
            logger.error("event not logged", metadata: ["stream": "\(hub.address)", "error": "\(error)"])
        }
    }

    /// A refusal is logged for the account that owns the app; for an app of nobody there is nobody to tell. Returns at once.
    ///
    /// - Parameter isAuthenticated: whether it was refused although its login was right.
    public func publishRefused(
        _ stream: StreamAddress, _ info: PublisherInfo, _ refusal: PublishRefusal, isAuthenticated: Bool
    ) {
        let moment = now()
        let event = OriginEvent(
            accountID: 0, date: moment.date, kind: .publish, app: stream.app, instance: stream.instance,
            stream: stream.stream, isAuthenticated: isAuthenticated, user: info.user, address: info.address,
            metadata: ["software": info.software, "protocol": info.transport, "error": refusal.message])
        let mustStart = refusals.withLock { refusals in
            refusals.add(event, now: moment.steady)
            return refusals.startWriting()
        }
        if mustStart { Task { await writeUntilDone() } }
    }

    /// Writes all refusals that wait: for an orderly end.
    public func flush() async {
        while await writeSome() {}
    }

    private func writeUntilDone() async {
        repeat {
            _ = await writeSome()
            try? await Task.sleep(for: interval)
        } while refusals.withLock { !$0.stopWriting() }
    }

    /// - Returns: whether there was something to write.
    private func writeSome() async -> Bool {
        let (rows, lost) = refusals.withLock { ($0.take(), $0.takeLost()) }
        if lost > 0 {
            logger.warning("refused publishers not logged, there are too many", metadata: ["count": "\(lost)"])
        }
        await withTaskGroup(of: Void.self) { group in
            for row in rows {
                group.addTask { await self.write(row) }
            }
        }
        return !rows.isEmpty
    }

    private func write(_ row: FoldedRefusals.Row) async {
        var event = row.event
        do {
            if event.accountID == 0 {
                guard let account = try await store.account(owningApp: event.app) else {
                    refusals.withLock { $0.wrote(row.key, nil) }
                    return
                }
                event.accountID = account.id
            }
            event = try await store.recordEvent(event)
            refusals.withLock { $0.wrote(row.key, event) }
        } catch {
            refusals.withLock { $0.wrote(row.key, nil) }
            logger.debug("refused publisher not logged", metadata: ["error": "\(error)"])
        }
    }
}

/// Refusals alike within a minute as one row: the same network, stream and reason. Beyond a number of rows of one network, all
/// its further refusals are one row; beyond a number of rows in all, refusals are only counted. A value without clock and I/O.
struct FoldedRefusals: Sendable {
    struct Key: Sendable, Hashable {
        var network: String
        /// nil: the row of everything that is too much from the network.
        var what: What?
    }

    struct What: Sendable, Hashable {
        var app: String
        var instance: String
        var stream: String
        var reason: String
        var isAuthenticated: Bool
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
    private var rowsOf: [String: Int] = [:]
    /// Keys that have something to write, in their order.
    private var waiting = DueQueue<Key, UInt64>()
    private var order: UInt64 = 0
    private var lost = 0
    private var isWriting = false

    static let window = TimeAmount.minutes(1)
    static let maximumRows = 4_096
    static let maximumOfNetwork = 16
    /// Rows written at a time.
    static let step = 64

    var count: Int { entries.count }

    mutating func add(_ event: OriginEvent, now: NIODeadline) {
        while let key = ends.popFirst(notAfter: now) { forget(key, now: now) }
        let network = IPAddress(event.address).map { IPNetwork.ofCustomer($0).description } ?? ""
        var key = Key(
            network: network,
            what: What(
                app: event.app, instance: event.instance, stream: event.stream,
                reason: event.metadata["error", default: ""], isAuthenticated: event.isAuthenticated))
        if entries[key] == nil, rowsOf[network, default: 0] >= Self.maximumOfNetwork { key.what = nil }
        if entries[key] != nil {
            entries[key]?.repeats += 1
        } else {
            guard entries.count < Self.maximumRows else {
                lost += 1
                return
            }
            entries[key] = Entry(event: event)
            ends.set(key, now + Self.window)
            rowsOf[network, default: 0] += 1
        }
        if entries[key]?.isDropped == false, waiting.time(of: key) == nil {
            order &+= 1
            waiting.set(key, order)
        }
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
        if let event {
            entry.event.id = event.id
            entry.event.accountID = event.accountID
        } else {
            entry.isDropped = true
            waiting.remove(key)
        }
        entries[key] = entry
    }

    /// How many refusals found no room since the last call.
    mutating func takeLost() -> Int {
        defer { lost = 0 }
        return lost
    }

    /// Whether the caller must begin to write; somebody else does otherwise.
    mutating func startWriting() -> Bool {
        guard !isWriting, waiting.count > 0 else { return false }
        isWriting = true
        return true
    }

    /// Whether nothing is left to write; if so the caller may go, and the next refusal starts another.
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
        let left = rowsOf[key.network, default: 1] - 1
        rowsOf[key.network] = left > 0 ? left : nil
    }
}

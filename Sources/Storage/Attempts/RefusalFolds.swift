import Basics
import Foundation
import Usher

/// Refused viewers on their way into the attempt log, with few rows for much of the same. A value without clock and I/O.
///
/// Refusals alike (ticket, address, stream, reason) that begin within ten seconds are one row; unknown keys are alike whatever
/// they are, and the row keeps the first as a sample. Of one account's new rows, what goes beyond a number from one network folds
/// further: by network (which the row then has for an address), stream and reason; and what goes beyond a number in all, by
/// application and reason alone (`0.0.0.0/0`, stream `*`). None is lost from the count.
struct RefusalFolds: Sendable {
    /// New rows of one account and network in ten seconds, about.
    static let maximumRowsOfNetwork = 64
    /// New rows of one account in ten seconds, about.
    static let maximumRowsOfAccount = 2_048
    /// Rows that are kept to be folded into.
    static let maximumRows = 16_384

    fileprivate struct Key: Sendable, Hashable {
        enum Source: Sendable, Hashable {
            case viewer(key: String, address: String)
            case network(IPNetwork?)
            case anybody
        }

        var accountID: AccountID
        var app: String
        var video: String
        var reason: String
        var source: Source
    }

    private enum Quota: Sendable, Hashable {
        case account(AccountID)
        /// Addresses that are none are of one network, nil.
        case network(AccountID, IPNetwork?)
    }

    private struct Entry: Sendable {
        /// As of the row; `repeats` is what the row does not have yet.
        var attempt: Attempt
        /// Flushes since the row began.
        var age = 0
    }

    /// A row to write, or to add to.
    struct Row: Sendable {
        fileprivate var key: Key?
        /// With the id of the row whose repeats grow by its own, or 0 for a new row.
        var attempt: Attempt
    }

    private var entries: [Key: Entry] = [:]
    private var waiting: Set<Key> = []
    /// Keys that wait, in their order; some of them twice or no longer.
    private var queue: [Key] = []
    /// Rows that nothing is folded into.
    private var single: [Attempt] = []
    private var quotas: [Quota: Int] = [:]
    private var flushes = 0

    /// Whether there is something to write.
    var isEmpty: Bool { waiting.isEmpty && single.isEmpty }

    /// Nothing to write, and nothing to fold into.
    var isIdle: Bool { isEmpty && entries.isEmpty }

    /// - Parameter window: seconds from the first of them in which refusals alike are one row; 0: never.
    mutating func add(_ attempt: Attempt, window: TimeInterval) {
        guard window > 0 || single.count >= Self.maximumRows else {
            single.append(attempt)
            return
        }
        let isUnknown = attempt.reason == RefusalReason.unknownTicket.rawValue
        let address = IPAddress(attempt.address)
        var key = Key(
            accountID: attempt.accountID, app: attempt.app, video: attempt.video, reason: attempt.reason,
            source: .viewer(key: isUnknown ? "" : attempt.key, address: address?.description ?? attempt.address))
        if fold(attempt, into: key, window: window) { return }
        var attempt = attempt
        let network = address.map { IPNetwork($0, prefix: $0.family == .v4 ? 24 : 48) }
        let ofNetwork = Quota.network(attempt.accountID, network)
        let ofAccount = Quota.account(attempt.accountID)
        if quotas[ofNetwork, default: 0] >= Self.maximumRowsOfNetwork || entries.count >= Self.maximumRows / 2 {
            key.source = .network(network)
            attempt.address = network?.description ?? ""
            if fold(attempt, into: key, window: window) { return }
        }
        if quotas[ofAccount, default: 0] >= Self.maximumRowsOfAccount || entries.count >= Self.maximumRows {
            key.source = .anybody
            key.video = "*"
            (attempt.address, attempt.video) = ("0.0.0.0/0", "*")
            if fold(attempt, into: key, window: window) { return }
        }
        quotas[ofNetwork, default: 0] += 1
        quotas[ofAccount, default: 0] += 1
        entries[key] = Entry(attempt: attempt)
        wait(key)
    }

    private mutating func wait(_ key: Key) {
        if waiting.insert(key).inserted { queue.append(key) }
    }

    /// A row that begins in the future (the clock was set back) is not folded into.
    private mutating func fold(_ attempt: Attempt, into key: Key, window: TimeInterval) -> Bool {
        guard let index = entries.index(forKey: key) else { return false }
        let began = entries.values[index].attempt.date
        let isWithin = began <= attempt.date && attempt.date < began.addingTimeInterval(window)
        // When nothing can be written for long, rows grow longer rather than more.
        guard isWithin || single.count >= Self.maximumRows && waiting.contains(key) else {
            // Another row takes its place, so it is written on its own.
            if waiting.remove(key) != nil { single.append(entries.values[index].attempt) }
            return false
        }
        let repeats = entries.values[index].attempt.repeats.addingSaturated(max(1, attempt.repeats))
        entries.values[index].attempt.repeats = repeats
        wait(key)
        return true
    }

    /// What is to be written now.
    mutating func take() -> [Row] {
        var rows = single.map { Row(key: nil, attempt: $0) }
        for key in queue where waiting.remove(key) != nil {
            guard let index = entries.index(forKey: key) else { continue }
            rows.append(Row(key: key, attempt: entries.values[index].attempt))
            entries.values[index].attempt.repeats = 0
        }
        single = []
        queue.removeAll(keepingCapacity: true)
        return rows
    }

    /// Rows were written under these ids.
    mutating func wrote(_ rows: [Row], ids: [Int64]) {
        for (row, id) in zip(rows, ids) {
            if let key = row.key, let index = entries.index(forKey: key),
                entries.values[index].attempt.id == row.attempt.id,
                entries.values[index].attempt.date == row.attempt.date
            {
                entries.values[index].attempt.id = id
            }
        }
    }

    /// Rows could not be written: they wait again.
    mutating func failed(_ rows: [Row]) {
        for row in rows {
            guard let key = row.key, let index = entries.index(forKey: key),
                entries.values[index].attempt.date == row.attempt.date
            else {
                single.append(row.attempt)
                continue
            }
            let repeats = entries.values[index].attempt.repeats.addingSaturated(row.attempt.repeats)
            entries.values[index].attempt.repeats = repeats
            wait(key)
        }
    }

    /// To be called about twice a second: rows that have been long enough are let go of.
    mutating func age() {
        flushes &+= 1
        // Ten seconds of flushes, and some more for a row that was begun with a date of the past.
        if flushes.isMultiple(of: 20) { quotas = [:] }
        for (key, entry) in entries where !waiting.contains(key) {
            if entry.age > 24 {
                entries[key] = nil
            } else {
                entries[key]?.age = entry.age + 1
            }
        }
    }
}

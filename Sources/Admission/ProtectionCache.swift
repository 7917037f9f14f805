import Basics
import NIOCore
import Storage
import Usher

/// What the store said of streams and accounts a moment ago. Bounded; a full one starts anew.
struct ProtectionCache: Sendable {
    private struct Entry<Value: Sendable>: Sendable {
        var value: Value
        var until: NIODeadline
    }

    private var protections: [ViewingSessions.StreamName: Entry<Protection>] = [:]
    private var owners: [String: Entry<AccountID>] = [:]
    /// Counts what was forgotten on demand, so that an answer asked for before is not remembered after.
    private(set) var generation = 0
    private static let maximum = 20_000

    func protection(_ stream: ViewingSessions.StreamName, now: NIODeadline) -> Protection? {
        guard let entry = protections[stream], now < entry.until else { return nil }
        return entry.value
    }

    func owner(app: String, now: NIODeadline) -> AccountID? {
        guard let entry = owners[app], now < entry.until else { return nil }
        return entry.value
    }

    mutating func set(
        _ protection: Protection, for stream: ViewingSessions.StreamName, until: NIODeadline, generation: Int
    ) {
        guard generation == self.generation else { return }
        if protections.count >= Self.maximum { protections.removeAll() }
        protections[stream] = Entry(value: protection, until: until)
    }

    mutating func set(owner: AccountID, of app: String, until: NIODeadline) {
        if owners.count >= Self.maximum { owners.removeAll() }
        owners[app] = Entry(value: owner, until: until)
    }

    mutating func forgetProtections() {
        protections.removeAll()
        generation &+= 1
    }
}

import Basics
import NIOCore
import Storage
import Usher

/// What the store said of streams and accounts a moment ago. Bounded; a full one starts anew.
struct RuleCache: Sendable {
    private struct Entry<Value: Sendable>: Sendable {
        var value: Value
        var until: NIODeadline
    }

    private var rules: [ViewingSessions.StreamName: Entry<ViewingRule>] = [:]
    private var owners: [String: Entry<AccountID>] = [:]
    /// Counts what was forgotten on demand, so that an answer asked for before is not remembered after.
    private(set) var generation = 0
    private static let maximum = 20_000

    func rule(_ stream: ViewingSessions.StreamName, now: NIODeadline) -> ViewingRule? {
        guard let entry = rules[stream], now < entry.until else { return nil }
        return entry.value
    }

    func owner(app: String, now: NIODeadline) -> AccountID? {
        guard let entry = owners[app], now < entry.until else { return nil }
        return entry.value
    }

    mutating func set(
        _ rule: ViewingRule, for stream: ViewingSessions.StreamName, until: NIODeadline, generation: Int
    ) {
        guard generation == self.generation else { return }
        if rules.count >= Self.maximum { rules.removeAll() }
        rules[stream] = Entry(value: rule, until: until)
    }

    mutating func set(owner: AccountID, of app: String, until: NIODeadline) {
        if owners.count >= Self.maximum { owners.removeAll() }
        owners[app] = Entry(value: owner, until: until)
    }

    mutating func forgetRules() {
        rules.removeAll()
        generation &+= 1
    }
}

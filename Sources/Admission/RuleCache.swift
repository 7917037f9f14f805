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

    /// How viewers are let in to a stream.
    struct Known: Sendable {
        var rule: ViewingRule
        /// The account of its app, where the rule is that it is open; else nil.
        var owner: AccountID?

        /// As the rule says, but open only where the account that is on the air owns the app now: one that was deleted, and whose
        /// name another has, may still be.
        func protection(of account: AccountID?) -> Protection {
            guard rule.protection == .open, let account, account != owner else { return rule.protection }
            return .sevu
        }
    }

    private var rules: [ViewingSessions.StreamName: Entry<Known>] = [:]
    private var owners: [String: Entry<AccountID>] = [:]
    /// Counts what was forgotten on demand, so that an answer asked for before is not remembered after.
    private(set) var generation = 0
    private static let maximum = 20_000

    func rule(_ stream: ViewingSessions.StreamName, now: NIODeadline) -> Known? {
        guard let entry = rules[stream], now < entry.until else { return nil }
        return entry.value
    }

    func owner(app: String, now: NIODeadline) -> AccountID? {
        guard let entry = owners[app], now < entry.until else { return nil }
        return entry.value
    }

    mutating func set(
        _ rule: Known, for stream: ViewingSessions.StreamName, until: NIODeadline, generation: Int
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

import Basics
import NIOCore

/// Which name lookups run, which wait for a thread, and which answers are known already. Time and outcomes in, lookups to
/// begin out.
///
/// A lookup of a name whose name server is dead holds its thread for up to half a minute. So an account has a few threads
/// at a time, the accounts that wait take turns, lookups of one name are shared, and what came out is remembered for a
/// short while.
struct LookupQueue<Waiter: Hashable & Sendable>: Sendable {
    typealias Outcome = Result<[SocketAddress], PushFailure>

    struct Limits: Sendable {
        /// Lookups at a time.
        var running = 32
        /// Lookups of one account at a time.
        var perAccount = 2
        /// How long addresses are remembered: less than any platform's time to live, enough for a wave of reconnects.
        var keepsAddresses = TimeAmount.seconds(15)
        /// How long a failure is remembered.
        var keepsFailures = TimeAmount.seconds(3)
        /// Names that are remembered.
        var known = 1_024
    }

    private struct Lookup {
        /// Who began it, and is charged.
        var account: AccountID
        var isRunning = false
        var waiters: [Waiter] = []
    }

    private let limits: Limits
    private var lookups: [String: Lookup] = [:]
    private var running: [AccountID: Int] = [:]
    private var runningCount = 0
    private var queue = FairQueue<AccountID, String>()
    private var known: [String: (outcome: Outcome, until: NIODeadline)] = [:]

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Somebody wants a name's addresses.
    /// - Returns: the answer when it is known, else nil: the waiter is given by a later `finished`.
    mutating func ask(_ name: String, account: AccountID, waiter: Waiter, now: NIODeadline) -> Outcome? {
        if let answer = known[name], answer.until > now { return answer.outcome }
        if lookups[name] == nil {
            lookups[name] = Lookup(account: account)
            queue.append(name, of: account)
        }
        lookups[name]?.waiters.append(waiter)
        return nil
    }

    /// Who asked for a name waits no more; a lookup that nobody waits for does not begin.
    mutating func leave(_ name: String, waiter: Waiter) {
        guard var lookup = lookups[name] else { return }
        lookup.waiters.removeAll { $0 == waiter }
        if lookup.waiters.isEmpty, !lookup.isRunning {
            lookups[name] = nil
            queue.remove(name, of: lookup.account)
        } else {
            lookups[name] = lookup
        }
    }

    /// The next name to look up, if another lookup may run now. Call until it gives nil.
    mutating func next() -> String? {
        guard runningCount < limits.running else { return nil }
        let (running, most) = (running, limits.perAccount)
        guard let (name, account) = queue.next(where: { running[$0, default: 0] < most }) else { return nil }
        lookups[name]?.isRunning = true
        self.running[account, default: 0] += 1
        runningCount += 1
        return name
    }

    /// A lookup is over.
    /// - Returns: who waited for it.
    mutating func finished(_ name: String, _ outcome: Outcome, now: NIODeadline) -> [Waiter] {
        guard let lookup = lookups.removeValue(forKey: name), lookup.isRunning else {
            assertionFailure("a lookup ended that did not run")
            return []
        }
        runningCount -= 1
        let left = running[lookup.account, default: 1] - 1
        running[lookup.account] = left > 0 ? left : nil
        remember(name, outcome, now: now)
        return lookup.waiters
    }

    private mutating func remember(_ name: String, _ outcome: Outcome, now: NIODeadline) {
        if known.count >= limits.known {
            known = known.filter { $0.value.until > now }
            if known.count >= limits.known { known.removeAll() }
        }
        let time = if case .success = outcome { limits.keepsAddresses } else { limits.keepsFailures }
        known[name] = (outcome, now + time)
    }
}

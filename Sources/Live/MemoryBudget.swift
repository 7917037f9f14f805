import Basics
import Synchronization

/// The ceiling on memory that the program holds for streams and peers: rings, segments, replies and bodies that wait.
///
/// A count, not an allocator: holders say what they keep, by capacity (`ByteBuffer.storageCapacity`, which is what the
/// allocator gave, not what is written in it), and give way step by step as the count comes near the ceiling. Counts
/// that belong to an account are kept for it as well, so that the accounts that hold most give way first. Every call
/// takes constant time and may come from any thread.
public final class MemoryBudget: Sendable {
    /// What has to be given up; every step includes the ones before it.
    public enum Pressure: Int, Sendable, Hashable, CaseIterable, Comparable {
        /// Below 80 % of the ceiling: nothing.
        case none
        /// From 80 %: a stream keeps no more than its newest GOP for RTMP subscribers.
        case rings
        /// From 85 %: segments that have left their playlist, and streams that have ended.
        case retainedSegments
        /// From 90 %: playlists become as short as RFC 8216 allows.
        case window
        /// From 95 %: viewers and pushes that are behind are closed; nothing is copied for a single viewer.
        case viewers
        /// From 100 %: new publishers are refused.
        case publishers

        public static func < (lhs: Pressure, rhs: Pressure) -> Bool {
            lhs.rawValue < rhs.rawValue
        }
    }

    /// The first step begins at this many hundredths of the ceiling, each further one `stepPercent` later.
    private static let firstPercent = 80
    private static let stepPercent = 5

    /// Bytes.
    public let ceiling: Int
    private let held = Atomic<Int>(0)
    private let accounts = Mutex(Accounts())

    private struct Accounts {
        /// Bytes of each account that holds any.
        var held: [AccountID: Int] = [:]
        /// All of them together.
        var total = 0
    }

    /// - Parameter ceiling: bytes; less than 100 counts as 100.
    public init(ceiling: Int) {
        self.ceiling = max(100, ceiling)
    }

    /// Bytes held in all.
    public var used: Int {
        held.load(ordering: .relaxed)
    }

    /// Bytes held for an account.
    public func used(by account: AccountID) -> Int {
        accounts.withLock { $0.held[account] ?? 0 }
    }

    /// Whether the count is above the ceiling.
    public var isExceeded: Bool {
        used > ceiling
    }

    /// What everybody has to give up now.
    public var pressure: Pressure {
        MemoryBudget.pressure(of: used, ceiling: ceiling)
    }

    /// What this account has to give up now. An account that holds less than the mean of all that hold something is
    /// asked one step later than the others, so that one tenant cannot starve its neighbours.
    public func pressure(on account: AccountID) -> Pressure {
        let used = used
        guard used >= MemoryBudget.start(of: .rings, ceiling: ceiling), isUnderFairShare(account) else {
            return MemoryBudget.pressure(of: used, ceiling: ceiling)
        }
        let grace = MemoryBudget.percent(MemoryBudget.stepPercent, of: ceiling)
        return MemoryBudget.pressure(of: used - grace, ceiling: ceiling)
    }

    /// Whether the account may begin something that takes memory for long, such as a stream: always below the ceiling, and
    /// a step beyond it while the account holds less than its fair share.
    public func mayTake(account: AccountID) -> Bool {
        pressure(on: account) < .publishers
    }

    /// Counts bytes that belong to nobody's account.
    /// - Parameter bytes: negative when they are given back.
    public func change(by bytes: Int) {
        let now = held.wrappingAdd(bytes, ordering: .relaxed).newValue
        assert(now >= 0, "more memory was given back than was taken")
    }

    /// Counts bytes for an account, and in the whole.
    /// - Parameter bytes: negative when they are given back.
    public func change(by bytes: Int, account: AccountID) {
        guard bytes != 0 else { return }
        accounts.withLock { accounts in
            let now = (accounts.held[account] ?? 0) &+ bytes
            assert(now >= 0, "more memory was given back for an account than was taken")
            accounts.held[account] = now > 0 ? now : nil
            accounts.total &+= bytes
        }
        change(by: bytes)
    }

    /// The account holds less than the mean of the accounts that hold something.
    private func isUnderFairShare(_ account: AccountID) -> Bool {
        accounts.withLock { accounts in
            (accounts.held[account] ?? 0) < accounts.total / max(1, accounts.held.count)
        }
    }

    private static func pressure(of used: Int, ceiling: Int) -> Pressure {
        guard used >= start(of: .rings, ceiling: ceiling) else { return .none }
        return Pressure.allCases.last { used >= start(of: $0, ceiling: ceiling) } ?? .none
    }

    /// Bytes at which a step begins.
    static func start(of step: Pressure, ceiling: Int) -> Int {
        guard step > .none else { return 0 }
        return percent(firstPercent + (step.rawValue - 1) * stepPercent, of: ceiling)
    }

    /// Divided first: a ceiling of whole memories does not overflow.
    private static func percent(_ percent: Int, of ceiling: Int) -> Int {
        ceiling / 100 * percent + ceiling % 100 * percent / 100
    }
}

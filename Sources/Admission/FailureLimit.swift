import Basics
import NIOCore
import Synchronization

/// Limits failed logins per address: past `perMinute` failures an address waits until the minute is over.
///
/// A login that has been right from an address is counted apart from then on, so others behind the same address who fail do not
/// lock it out; guesses at it have a minute's failures of their own. An IPv4 address is counted alone, an IPv6 address with its
/// /64, which is one customer's. Bounded: `capacity` counts and as many known logins are remembered; when there are more, the
/// oldest goes, so whoever wants one forgotten needs as many addresses to fail from as there are counts.
public final class FailureLimit: Sendable {
    /// A try that is counted as a failure until it is known to be none.
    public struct Entry: Sendable {
        fileprivate var source: Source
        fileprivate var login: Source
    }

    /// What failures are counted of: an address, or a known login from there.
    fileprivate struct Source: Sendable, Hashable {
        var customer: String
        var login: String?
    }

    fileprivate struct State: Sendable {
        var failures: [Source: Int] = [:]
        /// When the minutes of `failures` are over.
        var ends = DueQueue<Source, NIODeadline>()
        /// Logins that were right, by when they were last.
        var known = DueQueue<Source, NIODeadline>()

        func source(_ login: Source) -> Source {
            known.time(of: login) == nil ? Source(customer: login.customer) : login
        }

        /// Failures of the running minute.
        mutating func count(_ source: Source, now: NIODeadline) -> Int {
            guard let end = ends.time(of: source), now < end else {
                failures[source] = nil
                ends.remove(source)
                return 0
            }
            return failures[source] ?? 0
        }

        mutating func add(_ source: Source, now: NIODeadline, capacity: Int) {
            let count = count(source, now: now)
            if count == 0 {
                if failures.count >= capacity, let oldest = ends.popFirst(notAfter: .distantFuture) {
                    failures[oldest] = nil
                }
                ends.set(source, now + .minutes(1))
            }
            // At most a minute's requests: far from overflow.
            failures[source] = count &+ 1
        }

        mutating func takeBack(_ source: Source) {
            guard let count = failures[source] else { return }
            if count > 1 {
                failures[source] = count - 1
            } else {
                failures[source] = nil
                ends.remove(source)
            }
        }
    }

    private let perMinute: Int
    private let capacity: Int
    private let clock: @Sendable () -> NIODeadline
    private let state = Mutex(State())

    /// - Parameter perMinute: 0: no limit.
    public init(perMinute: Int, capacity: Int = 10_000, clock: @escaping @Sendable () -> NIODeadline = { .now() }) {
        self.perMinute = perMinute
        self.capacity = max(1, capacity)
        self.clock = clock
    }

    /// Begins a try, which counts as failed until `succeeded` or `takeBack` says otherwise: however many tries of an address are
    /// looked at at once, they are no more than it may fail.
    ///
    /// - Parameter login: whom the try is for, whether or not there is such a login.
    /// - Returns: nil when the address has to wait.
    public func enter(_ address: String, login: String) -> Entry? {
        let login = Self.source(address, login)
        guard perMinute > 0 else { return Entry(source: login, login: login) }
        let now = clock()
        return state.withLock { state in
            let source = state.source(login)
            guard state.count(source, now: now) < perMinute else { return nil }
            state.add(source, now: now, capacity: capacity)
            return Entry(source: source, login: login)
        }
    }

    /// The login was right: nothing failed, and it is known from now on.
    public func succeeded(_ entry: Entry) {
        guard perMinute > 0 else { return }
        let now = clock()
        state.withLock { state in
            state.takeBack(entry.source)
            state.remember(entry.login, now: now, capacity: capacity)
        }
    }

    /// The try says nothing about the login, neither way.
    public func takeBack(_ entry: Entry) {
        guard perMinute > 0 else { return }
        state.withLock { $0.takeBack(entry.source) }
    }

    /// - Parameter login: whom a try is for; nil: not known.
    public func allows(_ address: String, login: String? = nil) -> Bool {
        wait(address, login: login) == nil
    }

    /// Seconds until the address may try again, 1 to 60; nil: now.
    public func wait(_ address: String, login: String? = nil) -> Int? {
        guard perMinute > 0 else { return nil }
        let now = clock()
        let login = Self.source(address, login)
        return state.withLock { state in
            let source = state.source(login)
            guard state.count(source, now: now) >= perMinute, let end = state.ends.time(of: source) else { return nil }
            return Int(((end - now).nanoseconds - 1) / 1_000_000_000 + 1)
        }
    }

    /// A login from the address failed that was not begun with `enter`.
    public func failed(_ address: String, login: String? = nil) {
        guard perMinute > 0 else { return }
        let now = clock()
        let login = Self.source(address, login)
        state.withLock { $0.add($0.source(login), now: now, capacity: capacity) }
    }

    /// A login from the address was right that was not begun with `enter`.
    public func succeeded(_ address: String, login: String) {
        guard perMinute > 0 else { return }
        let now = clock()
        state.withLock { $0.remember(Self.source(address, login), now: now, capacity: capacity) }
    }

    private static func source(_ address: String, _ login: String?) -> Source {
        let customer = IPAddress(address).map { IPNetwork.ofCustomer($0).description } ?? String(address.prefix(64))
        return Source(customer: customer, login: login?.cut(toBytes: 512) ?? "")
    }
}

extension FailureLimit.State {
    fileprivate mutating func remember(_ login: FailureLimit.Source, now: NIODeadline, capacity: Int) {
        if known.time(of: login) == nil, known.count >= capacity { _ = known.popFirst(notAfter: .distantFuture) }
        known.set(login, now)
    }
}

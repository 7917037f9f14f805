import Basics
import Foundation
import Live
import Logging
import NIOCore
import Storage
import Synchronization

/// What viewers were sent and how many there were, on its way into the store: read off the streams' meters every few seconds,
/// written once a minute. What a process that is killed had not written is lost, which is that minute's.
///
/// An answer holds what this node has counted up to the moment of the question; of other nodes, what they have written.
public final class UsageLog: Sendable {
    /// How many viewers a stream has, given how many of them are connections that play it.
    public typealias ViewerCount = @Sendable (StreamAddress, _ connections: Int) -> Int

    private struct State: Sendable {
        /// Counted and not written.
        var usage: [UsageKey: UsageAmount] = [:]
        var viewers: [ViewerMinute: ViewerAmount] = [:]
        var lastSample: NIODeadline?
        /// Of the last round of `run`; written is when it is over.
        var lastMinute: Int?
        /// Under way: what it writes is in none of the above.
        var writing: Task<Void, Never>?
        var writes: UInt64 = 0
        var isStoreFailing = false
    }

    /// How often the meters are read.
    public static let interval = Duration.seconds(5)
    /// A sample stands for the time since the one before, but not for the time in which the machine slept.
    private static let longestInterval = TimeAmount.seconds(15)
    /// Rows of one transaction, a few milliseconds' worth.
    private static let rowsPerWrite = 512
    /// Minutes that are kept for a store that does not answer; later ones are let go of.
    private static let mostMinutes = 65_536

    private let store: any UsageStore
    private let meters: DeliveryMeters
    private let server: String
    private let logger: Logger
    private let now: @Sendable () -> Moment
    private let state = Mutex(State())

    /// - Parameter server: the name under which this node's rows stand.
    public init(
        store: any UsageStore, meters: DeliveryMeters, server: String, logger: Logger,
        now: @escaping @Sendable () -> Moment = { .now() }
    ) {
        self.store = store
        self.meters = meters
        self.server = server
        self.logger = logger
        self.now = now
    }

    // MARK: Counting

    /// Samples and writes until cancelled. What is left then is `end`'s.
    public func run(viewers: ViewerCount) async {
        while !Task.isCancelled {
            sample(viewers: viewers)
            let minute = Self.minute(of: now().date)
            if state.withLock({ $0.lastMinute ?? minute != minute }) { await write() }
            state.withLock { $0.lastMinute = minute }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// The last sample, and the last write.
    public func end(viewers: ViewerCount) async {
        sample(viewers: viewers)
        await write()
    }

    /// Takes in what was delivered, and counts who watches.
    public func sample(viewers count: ViewerCount) {
        let moment = now()
        let counts = meters.connections.map { stream, connections in
            (stream, rtmp: connections.rtmp, all: max(connections.all, count(stream.address, connections.all)))
        }
        state.withLock { state in
            collect(into: &state, at: moment.date)
            let time = state.lastSample.map { min(max(.zero, moment.steady - $0), Self.longestInterval) } ?? .zero
            state.lastSample = moment.steady
            let milliseconds = time.nanoseconds / 1_000_000
            for (stream, rtmp, all) in counts where all > 0 {
                for (delivery, viewers) in [(DeliveryProtocol.rtmp, rtmp), (.hls, all - rtmp)] where viewers > 0 {
                    let amount = UsageAmount(viewerTime: Int64(viewers) * milliseconds)
                    state.usage[key(of: stream, delivery, at: moment.date), default: UsageAmount()] += amount
                }
                let minute = ViewerMinute(
                    accountID: stream.accountID, minute: Self.minute(of: moment.date), app: stream.address.app,
                    stream: stream.address.stream, instance: stream.address.instance, server: server)
                guard state.viewers.count < Self.mostMinutes || state.viewers[minute] != nil else { continue }
                state.viewers[minute, default: ViewerAmount()].add(
                    ViewerAmount(peak: all, viewerTime: Int64(all) * milliseconds))
            }
        }
    }

    /// Together with the lock's other holders' work, so that nobody sees bytes neither here nor there.
    private func collect(into state: inout State, at date: Date) {
        meters.take { stream, hls, rtmp in
            for (delivery, bytes) in [(DeliveryProtocol.hls, hls), (.rtmp, rtmp)] where bytes != 0 {
                state.usage[key(of: stream, delivery, at: date), default: UsageAmount()] += UsageAmount(bytes: bytes)
            }
        }
    }

    private func key(of stream: DeliveryMeters.Stream, _ delivery: DeliveryProtocol, at date: Date) -> UsageKey {
        UsageKey(
            accountID: stream.accountID, day: Self.day(of: date), app: stream.address.app,
            stream: stream.address.stream, instance: stream.address.instance, delivery: delivery, server: server)
    }

    /// Days since 1970.
    public static func day(of date: Date) -> Int {
        Int((date.timeIntervalSince1970 / 86_400).rounded(.down))
    }

    /// Minutes since 1970.
    public static func minute(of date: Date) -> Int {
        Int((date.timeIntervalSince1970 / 60).rounded(.down))
    }

    // MARK: Writing

    /// Writes what has been counted; what cannot be written is kept for the next time. Goes on when the caller is cancelled.
    public func write() async {
        let writing = state.withLock { state in
            if let writing = state.writing { return writing }
            let (usage, viewers) = (state.usage, state.viewers)
            (state.usage, state.viewers) = ([:], [:])
            state.writes &+= 1
            let writing = Task { await self.write(usage, viewers) }
            state.writing = writing
            return writing
        }
        await writing.value
    }

    private func write(_ usage: [UsageKey: UsageAmount], _ viewers: [ViewerMinute: ViewerAmount]) async {
        var usage = Array(usage)[...]
        var viewers = Array(viewers)[...]
        var failure: (any Error)?
        while failure == nil, !usage.isEmpty || !viewers.isEmpty {
            let days = usage.prefix(Self.rowsPerWrite)
            let minutes = viewers.prefix(Self.rowsPerWrite - days.count)
            do {
                try await store.addUsage(
                    Dictionary(uniqueKeysWithValues: days.map { ($0.key, $0.value) }),
                    viewers: Dictionary(uniqueKeysWithValues: minutes.map { ($0.key, $0.value) }))
                usage = usage.dropFirst(days.count)
                viewers = viewers.dropFirst(minutes.count)
            } catch {
                failure = error
            }
        }
        let isNews = state.withLock { state in
            for (key, amount) in usage { state.usage[key, default: UsageAmount()] += amount }
            for (key, amount) in viewers { state.viewers[key, default: ViewerAmount()].add(amount) }
            state.writing = nil
            defer { state.isStoreFailing = failure != nil }
            return state.isStoreFailing != (failure != nil)
        }
        guard isNews else { return }
        if let failure {
            logger.error("usage not stored, kept and tried again", metadata: ["error": "\(failure)"])
        } else {
            logger.info("usage is stored again")
        }
    }

    // MARK: Asking

    /// What the account's viewers were sent, summed up by the columns given.
    public func usage(accountID: AccountID, filter: UsageFilter, by columns: Set<UsageKey.Column>) async throws
        -> [UsageKey: UsageAmount]
    {
        try await ask { state in
            state.usage.filter { $0.key.accountID == accountID && filter.matches($0.key) }
        } stored: {
            try await store.usage(accountID: accountID, filter: filter, by: columns)
        } sum: { stored, unwritten in
            unwritten.reduce(into: stored) { $0[$1.key.summed(by: columns), default: UsageAmount()] += $1.value }
        }
    }

    /// How many viewers there were, by minute since 1970; minutes without any are left out.
    public func viewers(accountID: AccountID, filter: ViewerFilter) async throws -> [Int: ViewerAmount] {
        try await ask { state in
            state.viewers.filter { $0.key.accountID == accountID && filter.matches($0.key) }
        } stored: {
            try await store.viewers(accountID: accountID, filter: filter)
        } sum: { stored, unwritten in
            unwritten.reduce(into: stored) { $0[$1.key.minute, default: ViewerAmount()] += $1.value }
        }
    }

    /// The account's streams that are delivered now, and how many connections play each.
    public func streams(accountID: AccountID) -> [(address: StreamAddress, connections: DeliveryMeter.Connections)] {
        meters.connections.filter { $0.key.accountID == accountID }.map { ($0.key.address, $0.value) }
            .sorted { $0.0 < $1.0 }
    }

    /// What is stored and what is not written yet, of the same moment: asked again when something was written in between.
    private func ask<Unwritten, Answer>(
        unwritten: (State) -> Unwritten, stored: () async throws -> Answer, sum: (Answer, Unwritten) -> Answer
    ) async throws -> Answer {
        while true {
            let date = now().date
            let (writing, writes, rest) = state.withLock { state in
                collect(into: &state, at: date)
                return (state.writing, state.writes, unwritten(state))
            }
            if let writing {
                await writing.value
                continue
            }
            let answer = try await stored()
            if state.withLock({ $0.writes }) == writes { return sum(answer, rest) }
            try Task.checkCancellation()
        }
    }
}

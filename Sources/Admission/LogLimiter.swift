import Basics
import Logging
import NIOCore
import Synchronization

/// Keeps what strangers cause from filling the log: of each kind of line, each network gets a number in an interval, and all
/// networks together ten times as many. What comes beyond is counted, and one line says how much it was when the interval is
/// over.
///
/// The interval begins with the first line and is the same for all kinds. A network is one customer's: an IPv4 address, the
/// /64 of an IPv6 address.
public final class LogLimiter: Sendable {
    private let logger: Logger
    private let interval: TimeAmount
    private let counts: Mutex<Counts>
    private let clock: @Sendable () -> NIODeadline
    private let sleep: @Sendable (TimeAmount) async throws -> Void

    /// - Parameters:
    ///   - interval: how long lines are counted together.
    ///   - sleep: returns when so much time has gone by on the clock.
    public init(
        logger: Logger, interval: TimeAmount = .seconds(60), clock: @escaping @Sendable () -> NIODeadline = { .now() },
        sleep: @escaping @Sendable (TimeAmount) async throws -> Void = {
            try await Task.sleep(for: .nanoseconds($0.nanoseconds))
        }
    ) {
        self.logger = logger
        self.interval = interval
        self.clock = clock
        self.sleep = sleep
        counts = Mutex(Counts(interval: interval))
    }

    /// Writes the line, or counts it.
    /// - Parameters:
    ///   - kind: what such lines have in common; the line is `kind: detail`. A constant, never a peer's text, since each kind
    ///     is remembered.
    ///   - address: who caused it, added to the metadata as `address`. Text that is no address counts as one network.
    ///   - lines: how many of this kind one network may cause in an interval.
    public func log(
        _ level: Logger.Level, _ kind: StaticString, _ detail: @autoclosure () -> String? = nil, address: String,
        lines: Int = 20, _ metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        guard logger.logLevel <= level else { return }
        let name = "\(kind)"
        let network = IPAddress(address).map { IPNetwork.ofCustomer($0) }
        let (verdict, finished) = counts.withLock {
            $0.note(name, level, network, address: address, lines: lines, now: clock())
        }
        for summary in finished { write(summary) }
        switch verdict {
        case .written:
            var metadata = metadata()
            if !address.isEmpty { metadata["address"] = "\(address)" }
            logger.log(level: level, "\(name)\(detail().map { ": \($0)" } ?? "")", metadata: metadata)
        case .folded(isFirst: true):
            // The interval may end in silence, and then nobody else would say what was counted.
            Task {
                try? await sleep(interval)
                for summary in counts.withLock({ $0.finish(now: clock()) }) { write(summary) }
            }
        case .folded(isFirst: false):
            break
        }
    }

    /// What the store or this node is the cause of, whoever asked: one line in an interval, however many ask.
    /// - Parameter kind: as `log` takes it.
    public func failed(_ kind: StaticString, _ error: any Error, _ metadata: @autoclosure () -> Logger.Metadata = [:]) {
        log(.error, kind, "\(error)", address: "", lines: 1, metadata())
    }

    private func write(_ summary: Counts.Summary) {
        logger.log(
            level: summary.level, "\(summary.kind): more lines like this were left out",
            metadata: [
                "count": "\(summary.count)", "seconds": "\(interval.nanoseconds / 1_000_000_000)",
            ].merging(summary.lastAddress.isEmpty ? [:] : ["address": "\(summary.lastAddress)"]) { $1 })
    }

    /// What was written and left out in the running interval.
    struct Counts: Sendable {
        enum Verdict: Sendable, Equatable {
            case written
            /// - Parameter isFirst: nothing else was folded in this interval yet.
            case folded(isFirst: Bool)
        }

        /// What was left out of one kind in one interval.
        struct Summary: Sendable, Equatable {
            var kind: String
            var level: Logger.Level
            var count: Int
            var lastAddress: String
        }

        private struct Kind: Sendable {
            var written = 0
            /// At most one entry for each line written, so never more than ten times `lines`.
            var byNetwork: [IPNetwork?: Int] = [:]
            var folded: Summary?
        }

        private let interval: TimeAmount
        private var started: NIODeadline?
        private var kinds: [String: Kind] = [:]
        private var hasFolded = false

        init(interval: TimeAmount) {
            self.interval = interval
        }

        /// - Returns: whether the line is written, and what was left out of an interval that is over.
        mutating func note(
            _ name: String, _ level: Logger.Level, _ network: IPNetwork?, address: String, lines: Int,
            now: NIODeadline
        ) -> (Verdict, finished: [Summary]) {
            let finished = finish(now: now)
            if started == nil { started = now }
            var kind = kinds[name, default: Kind()]
            defer { kinds[name] = kind }
            let written = kind.byNetwork[network, default: 0]
            if written < lines, kind.written < lines * 10 {
                kind.byNetwork[network] = written + 1
                kind.written += 1
                return (.written, finished)
            }
            var folded = kind.folded ?? Summary(kind: name, level: level, count: 0, lastAddress: "")
            folded.count += 1
            folded.lastAddress = address
            kind.folded = folded
            defer { hasFolded = true }
            return (.folded(isFirst: !hasFolded), finished)
        }

        /// Ends the interval if its time is over.
        /// - Returns: what was left out of it, by kind.
        mutating func finish(now: NIODeadline) -> [Summary] {
            guard let started, now - started >= interval else { return [] }
            let finished = kinds.values.compactMap(\.folded).sorted { $0.kind < $1.kind }
            self.started = nil
            kinds.removeAll()
            hasFolded = false
            return finished
        }
    }
}

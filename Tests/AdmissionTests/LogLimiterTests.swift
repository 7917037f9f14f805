import Basics
import Logging
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import Admission

@Suite("What strangers cause fills no log") struct LogLimiterTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func note(
        _ counts: inout LogLimiter.Counts, _ address: String, lines: Int = 1, kind: String = "refused",
        after: TimeAmount = .zero
    ) -> (LogLimiter.Counts.Verdict, finished: [LogLimiter.Counts.Summary]) {
        counts.note(
            kind, .warning, IPAddress(address).map { IPNetwork.ofCustomer($0) }, address: address,
            lines: lines, now: LogLimiterTests.start + after)
    }

    @Test("A network that causes more lines than it may has the rest counted, and another one does not suffer")
    func perNetwork() {
        var counts = LogLimiter.Counts(interval: .seconds(60))
        let verdicts = (0..<4).map { _ in note(&counts, "192.0.2.1", lines: 2).0 }
        #expect(verdicts == [.written, .written, .folded(isFirst: true), .folded(isFirst: false)])
        #expect(note(&counts, "192.0.2.2", lines: 2).0 == .written)
        #expect(note(&counts, "192.0.2.1", lines: 2, kind: "broken").0 == .written)
    }

    @Test("All addresses of an IPv6 /64 are one network")
    func ipv6() {
        var counts = LogLimiter.Counts(interval: .seconds(60))
        #expect(note(&counts, "2001:db8::1").0 == .written)
        #expect(note(&counts, "2001:db8::2").0 == .folded(isFirst: true))
        #expect(note(&counts, "2001:db8:0:1::1").0 == .written)
    }

    @Test("A hundred thousand networks together cause ten times what one may")
    func inAll() {
        var counts = LogLimiter.Counts(interval: .seconds(60))
        var written = 0
        for number in 0..<100_000 {
            let address = "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)"
            if note(&counts, address, lines: 5).0 == .written { written += 1 }
        }
        #expect(written == 50)
    }

    @Test("When the interval is over one line a kind says how much was left out, and lines are written again")
    func summary() {
        var counts = LogLimiter.Counts(interval: .seconds(60))
        for address in ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"] { _ = note(&counts, address) }
        _ = note(&counts, "192.0.2.7", kind: "broken", after: .seconds(59))
        let (verdict, finished) = note(&counts, "192.0.2.1", after: .seconds(60))
        #expect(verdict == .written)
        #expect(finished == [.init(kind: "refused", level: .warning, count: 2, lastAddress: "192.0.2.1")])
        #expect(counts.finish(now: LogLimiterTests.start + .seconds(600)).isEmpty)
    }

    @Test("A flood that ends in silence is summed up all the same")
    func silence() async throws {
        let (log, end) = (CapturedLog(), Alarm())
        let now = Mutex(Self.start)
        let limiter = LogLimiter(
            logger: log.logger, interval: .seconds(60), clock: { now.withLock { $0 } }, sleep: { _ in await end.wait() }
        )
        for _ in 0..<5 {
            limiter.log(.warning, "publisher refused", "busy", address: "192.0.2.1", lines: 1, ["stream": "a/b/c"])
        }
        #expect(log.texts == ["publisher refused: busy"])
        #expect(log.lines.first?.metadata == ["stream": "a/b/c", "address": "192.0.2.1"])
        now.withLock { $0 = Self.start + .seconds(60) }
        end.ring()
        try await eventually("the summary") { log.lines.count == 2 }
        #expect(log.texts.last == "publisher refused: more lines like this were left out")
        #expect(log.lines.last?.metadata == ["count": "4", "seconds": "60", "address": "192.0.2.1"])
    }
}

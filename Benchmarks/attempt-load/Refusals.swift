import Admission
import Foundation
import Logging
import Storage
import Synchronization
import Usher

/// Viewers with keys of chance from many addresses, as many a second as are asked for, at the door itself: what a request for a
/// playlist costs below HTTP, from the protection of its stream to the row in the log. Beside them viewers with tickets of their
/// own, whose admission is on disk before they are answered.
enum Refusals {
    /// Callers at once, as connections would be.
    private static let callers = 256
    private static let app = "demo-origin"
    private static let stream = "paid"

    private final class Results: Sendable {
        struct State {
            var refused = 0
            var failed = 0
            var times: [Double] = []
        }
        let state = Mutex(State())
    }

    static func run(folder: String, rate: Int, seconds: Int, admissionRate: Int, addresses: UInt64) async throws {
        let log = CountingLog()
        let store = try await SQLiteStore.open(folder: folder)
        try await store.insertAccount(Account(id: 1, user: "demo", created: Date()))
        _ = try await store.upsertStream(
            StreamSettings(accountID: 1, app: app, stream: stream, protection: .sevu, created: Date()))
        let tickets = admissionRate * seconds
        for start in stride(from: 0, to: tickets, by: 1_000) {
            _ = try await store.insertTickets(
                (start..<min(start + 1_000, tickets)).map { index in
                    Ticket(
                        accountID: 1, key: "k\(index)", pass: "p", ip: "0.0.0.0/0", app: app, video: stream, uses: 1,
                        created: Date(), expires: Date().addingTimeInterval(86_400))
                })
        }
        let admissions = Admissions(store: store, logger: Logger(label: "load") { _ in log })
        let making = processorTimeToMake()
        let following = Task { await admissions.run() }
        let results = Results()
        let (cpu, disk, writes) = (processorTime(), bytesWritten(), store.writeCounts)
        let begin = ContinuousClock.now
        let end = begin + .seconds(seconds)
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<callers {
                group.addTask {
                    await refuse(
                        admissions, results, caller: caller, rate: rate, addresses: addresses, begin: begin, end: end)
                }
            }
            group.addTask { await admit(admissions, results, count: tickets, rate: admissionRate, begin: begin) }
        }
        let time = (ContinuousClock.now - begin) / .seconds(1)
        let asked = ContinuousClock.now
        let counted = try await store.countAttempts(accountID: 1, filter: AttemptFilter(isSuccess: false))
        let answered = (ContinuousClock.now - asked) / .milliseconds(1)
        let (cpuUsed, written) = (processorTime() - cpu, bytesWritten() - disk)
        let writeCount = store.writeCounts
        let admitted = try await store.countAttempts(accountID: 1, filter: AttemptFilter(isSuccess: true))
        let rows = try await rowCount(store)
        following.cancel()
        await following.value
        let state = results.state.withLock { $0 }
        let perRefusal = (cpuUsed / 1e3 - making / 1e3 * Double(state.refused)) / Double(max(1, state.refused))
        print(String(format: "refused: %d in %.1f s, %.0f/s", state.refused, time, Double(state.refused) / time))
        print(
            String(
                format: "CPU: %.1f µs a refusal, admissions included, without the %.1f µs that the caller makes it in",
                perRefusal, making / 1e3))
        if admissionRate > 0 {
            var times = Times()
            times.all = state.times
            print("admissions: \(state.times.count), \(state.failed) not let in, \(times.text)")
        }
        print(
            String(
                format: "disk: %.2f MB/s, %d transactions, %d writes", Double(written) / time / 1e6,
                writeCount.transactions - writes.transactions, writeCount.writes - writes.writes))
        print("rows: \(rows.refused) of refusals, \(rows.admitted) of admissions")
        print(
            "counted: \(counted) refused (offered \(state.refused)), \(admitted) admitted (let in \(state.times.count)); "
                + String(format: "the first count took %.1f ms", answered))
        print("log: \(log.lines) lines")
        try await store.close()
    }

    /// One viewer after the other, as many as are due by now, and a little wait.
    private static func refuse(
        _ admissions: Admissions, _ results: Results, caller: Int, rate: Int, addresses: UInt64,
        begin: ContinuousClock.Instant, end: ContinuousClock.Instant
    ) async {
        var number = UInt64(caller) << 40
        var done = 0
        let share = Double(rate) / Double(callers)
        while true {
            let now = ContinuousClock.now
            let due = Int((min(now, end) - begin) / .seconds(1) * share)
            if now >= end, done >= due { break }
            // What is late is offered all the same, up to a twentieth of a second of it: else a pause would be a flood.
            done = max(done, due - max(1, Int(share / 20)))
            var refused = 0
            var failed = 0
            while done < due {
                number += 1
                done += 1
                do {
                    if case .refused = try await admissions.offer(viewer(number, addresses)) {
                        refused += 1
                    } else {
                        failed += 1
                    }
                } catch {
                    failed += 1
                }
            }
            results.state.withLock { state in
                state.refused += refused
                state.failed += failed
            }
            if now >= end { break }
            try? await Task.sleep(for: .milliseconds(2))
        }
    }

    private static func viewer(_ number: UInt64, _ addresses: UInt64) -> ViewerFacts {
        let random = Event.mixed(number)
        let address = Event.mixed(Event.mixed(random) % max(1, addresses))
        return ViewerFacts(
            key: "\(random).\(address)", pass: "x",
            address: "\(1 + address % 200).\(address >> 8 & 255).\(address >> 16 & 255).\(address >> 24 & 255)",
            app: app, instance: "play", video: stream, pageURL: "https://shop.example.com/",
            serverAddress: "192.0.2.1")
    }

    /// Nanoseconds of CPU to make one viewer.
    private static func processorTimeToMake() -> Double {
        let begin = processorTime()
        var bytes = 0
        for number in 0..<UInt64(100_000) { bytes += viewer(number, 1 << 32).key?.utf8.count ?? 0 }
        return bytes > 0 ? (processorTime() - begin) / 100_000 : 0
    }

    /// Viewers with tickets, each at its own time whatever became of those before: both requests of an HLS viewer.
    private static func admit(
        _ admissions: Admissions, _ results: Results, count: Int, rate: Int, begin: ContinuousClock.Instant
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<count {
                try? await Task.sleep(until: begin + .seconds(1) * (Double(index) / Double(rate)))
                group.addTask {
                    let facts = ViewerFacts(
                        key: "k\(index)", pass: "p", address: "10.1.\(index >> 8 & 255).\(index & 255)", app: app,
                        instance: "play", video: stream)
                    let begin = ContinuousClock.now
                    var isIn = false
                    if case .granted(let id)? = try? await admissions.offer(facts),
                        case .granted? = try? await admissions.admit(facts, session: id)
                    {
                        isIn = true
                    }
                    let time = (ContinuousClock.now - begin) / .milliseconds(1)
                    results.state.withLock { state in
                        if isIn { state.times.append(time) } else { state.failed += 1 }
                    }
                }
            }
        }
    }

    /// Bytes that this process had written to a disk.
    private static func bytesWritten() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/io", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").first { $0.hasPrefix("write_bytes: ") }
            .flatMap { Int($0.dropFirst("write_bytes: ".count)) } ?? 0
    }

    private static func rowCount(_ store: SQLiteStore) async throws -> (refused: Int, admitted: Int) {
        var counts = (refused: 0, admitted: 0)
        // By the id from the first page on, so that no row is on two.
        var filter = AttemptFilter(beforeID: .max)
        while true {
            let rows = try await store.attempts(accountID: 1, filter: filter, limit: 1_000, offset: 0)
            guard let last = rows.last else { return counts }
            counts.admitted += rows.count { $0.isSuccess }
            counts.refused += rows.count { !$0.isSuccess }
            filter.beforeID = last.id
        }
    }
}

/// A log that nobody reads.
private final class CountingLog: LogHandler {
    private let count = Mutex(0)

    var lines: Int { count.withLock { $0 } }

    var logLevel: Logger.Level {
        get { .info }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        count.withLock { $0 += 1 }
    }
}

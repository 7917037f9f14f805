import Basics
import Foundation
import Storage
import Usher

// attempt-load make FOLDER ROWS: an attempt log as events leave one, in a new store.
// attempt-load csv ROWS: the same rows for another database, on standard output.
// attempt-load storm FOLDER TICKETS SEED: viewers who race for tickets until the process is killed.
// attempt-load refusals FOLDER RATE SECONDS [ADMISSIONS [ADDRESSES]]: viewers without tickets, so many a second with one.
// attempt-load first FOLDER [--ahead]: every 61st combination, time after time, as after a start; with --ahead the log is read ahead.
// attempt-load ask FOLDER [TIMES]: every combination of filters; milliseconds and, with --json, one line a combination.

/// Rows like those of events: few streams, many tickets, some addresses behind which crowds sit. The same for the same number.
struct Event {
    static let videos = 40
    static let hotKey = "paid-1.6b01589cabe243.00000000000000000001"
    static let hotPass = "guest"
    static let hotAddress = "100.64.7.7"

    static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// Attempt `index` of `count`, over 90 days.
    static func attempt(_ index: Int, of count: Int) -> Attempt {
        let random = mixed(UInt64(index) &+ 1)
        let second = mixed(random)
        // Most of it in a fifth of the streams.
        let share = Double(random % 10_000) / 10_000
        let video = "paid-\(1 + Int(share * share * Double(videos)))"
        // A tenth with a ticket that all share, the rest with tickets of their own, three attempts each.
        let ticket = second % UInt64(max(1, count / 3))
        let isHot = second >> 40 % 10 == 0
        let digits = String(String(mixed(ticket) % 10_000_000_000).reversed()).padding(
            toLength: 20, withPad: "7", startingAt: 0)
        let key = isHot ? hotKey : "\(video).\(String(1_000_000_000_000 + ticket * 977, radix: 16))3.\(digits)"
        let pass = second >> 44 % 10 == 0 ? hotPass : "viewer-\(ticket % 4_000_000)"
        let address: String
        switch random >> 20 % 20 {
        case 0, 1: address = hotAddress
        case 2: address = "2001:db8:\(String(random >> 32 % 4_096, radix: 16))::\(String(random >> 44 % 8, radix: 16))"
        default:
            // Networks of very different sizes.
            let network = random >> 32 % 65_536
            address = "\(10 + network * network >> 16 % 90).\(network >> 4 & 255).\(network & 15).\(second >> 50 % 256)"
        }
        let isSuccess = second >> 20 % 100 < 85
        let start = 1_790_000_000.0 - 90 * 86_400
        let facts = ViewerFacts(
            key: key, pass: pass, address: address, app: video.hasSuffix("7") ? "demo-vod" : "demo-origin",
            instance: "play", video: video, pageURL: "https://shop.example.com/event/\(video)",
            referrerURL: "https://shop.example.com/", serverAddress: "192.0.2.1")
        return Attempt(
            id: Int64(index) + 1, accountID: 1,
            date: Date(timeIntervalSince1970: start + 90 * 86_400 * Double(index) / Double(count)),
            facts: facts, isSuccess: isSuccess,
            reason: isSuccess ? "" : random >> 56 & 1 == 0 ? "Invalid Auth Token" : "No Uses Remaining",
            repeats: !isSuccess && random >> 58 % 4 == 0 ? 1 + Int(random >> 50 % 50) : 1)
    }
}

/// Numbers from 0, one after the other.
final class Counter: @unchecked Sendable {
    // `@unchecked Sendable`: one thread of the store calls it.
    private var next = 0
    private let count: Int
    init(_ count: Int) { self.count = count }
    func attempt() -> Attempt? {
        guard next < count else { return nil }
        defer { next += 1 }
        return Event.attempt(next, of: count)
    }
}

/// Nanoseconds that this process was on a processor.
func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

func bytes(in folder: String) -> Int {
    let files = FileManager.default.enumerator(atPath: folder)
    var sum = 0
    while let file = files?.nextObject() as? String {
        sum += (try? FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")[.size] as? Int) ?? 0
    }
    return sum
}

func make(_ folder: String, _ count: Int) async throws {
    let store = try await SQLiteStore.open(folder: folder)
    try await store.insertAccount(Account(id: 1, user: "demo", created: Date()))
    let counter = Counter(count)
    let before = processorTime()
    var generating = processorTime()
    for index in 0..<min(count, 100_000) { _ = Event.attempt(index, of: count) }
    generating = (processorTime() - generating) / Double(min(count, 100_000))
    try await store.fillAttempts(now: Date(timeIntervalSince1970: 1_790_000_000)) { counter.attempt() }
    let time = (processorTime() - before) / Double(count) - generating
    try await store.close()
    print("\(count) attempts, \(bytes(in: folder) / count) bytes each, \(Int(time)) ns of CPU each to put into volumes")
}

/// One filter of each kind, and all of them together.
func combinations() -> [(name: String, filter: AttemptFilter)] {
    let last = Event.attempt(777_777, of: 1_000_000)
    var result: [(String, AttemptFilter)] = []
    let keys: [(String, String?)] = [("-", nil), ("hot key", Event.hotKey), ("a key", last.key)]
    let passes: [(String, String?)] = [("-", nil), ("hot pass", Event.hotPass), ("a pass", last.pass)]
    let names: [(String, String?, String?)] = [
        ("-", nil, nil), ("app", "demo-origin", nil), ("app*", "demo-*", nil), ("video", nil, "paid-1"),
        ("video*", nil, "paid-1*"), ("app+video*", "demo-origin", "paid-*"),
    ]
    let addresses: [(String, String?)] = [
        ("-", nil), ("hot ip", Event.hotAddress), ("ip", last.address), ("/8", "10.0.0.0/8"), ("/13", "20.8.0.0/13"),
        ("/20", "11.200.0.0/20"), ("/27", "100.64.7.0/27"), ("/0", "0.0.0.0/0"), ("v6/44", "2001:db8:100::/40"),
    ]
    for (keyName, key) in keys {
        for (passName, pass) in passes {
            for (nameName, app, video) in names {
                for (addressName, address) in addresses {
                    for success in [nil, true, false] {
                        result.append(
                            (
                                [
                                    keyName, passName, nameName, addressName,
                                    success.map { $0 ? "success" : "refused" } ?? "-",
                                ]
                                .joined(separator: ", "),
                                AttemptFilter(
                                    key: key, pass: pass, app: app, video: video, address: address, isSuccess: success)
                            ))
                    }
                }
            }
        }
    }
    return result
}

struct Times {
    var all: [Double] = []
    mutating func measure<Value>(_ work: () async throws -> Value) async throws -> Value {
        let begin = ContinuousClock.now
        let value = try await work()
        all.append((ContinuousClock.now - begin) / .milliseconds(1))
        return value
    }
    func quantile(_ share: Double) -> Double {
        let sorted = all.sorted()
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
    var text: String {
        "p50 \(format(quantile(0.5))) ms, p99 \(format(quantile(0.99))) ms, worst \(format(quantile(1))) ms"
    }
    func format(_ value: Double) -> String { String(format: "%.3f", value) }
}

/// One line of JSON, for whoever asks another database the same.
func say(_ name: String, _ filter: AttemptFilter, _ matches: Int, _ milliseconds: Double) {
    var line: [String: Any] = ["name": name, "count": matches, "ms": milliseconds]
    line["key"] = filter.key
    line["pass"] = filter.pass
    line["app"] = filter.app
    line["video"] = filter.video
    line["ip"] = filter.address
    line["success"] = filter.isSuccess
    if let data = try? JSONSerialization.data(withJSONObject: line, options: [.sortedKeys, .withoutEscapingSlashes]) {
        print(String(decoding: data, as: UTF8.self))
    }
}

func ask(_ folder: String, times: Int, json: Bool) async throws {
    let store = try await SQLiteStore.open(folder: folder)
    let combinations = combinations()
    // The first question maps the volumes.
    _ = try await store.countAttempts(accountID: 1, filter: AttemptFilter())
    for (_, filter) in combinations { _ = try await store.countAttempts(accountID: 1, filter: filter) }
    var kinds: [(String, Times)] = []
    var slowest: [(Double, String)] = []
    var count = Times()
    for round in 0..<times {
        for (name, filter) in combinations {
            let matches = try await count.measure { try await store.countAttempts(accountID: 1, filter: filter) }
            slowest.append((count.all.last ?? 0, "count: \(name) (\(matches))"))
            if json, round == times - 1 { say(name, filter, matches, count.all.last ?? 0) }
        }
    }
    kinds.append(("errorcount", count))
    for seek in [0, 100_000] {
        var list = Times()
        for _ in 0..<max(1, times / 4) {
            for (name, filter) in combinations {
                let rows = try await list.measure {
                    try await store.attempts(accountID: 1, filter: filter, limit: 25, offset: seek)
                }
                slowest.append((list.all.last ?? 0, "list from \(seek): \(name) (\(rows.count) rows)"))
            }
        }
        kinds.append(("errorlog, 25 rows from \(seek)", list))
    }
    for (name, times) in kinds { print("\(name): \(combinations.count) combinations, \(times.text)") }
    for kind in ["count", "list from 0", "list from 100000"] {
        print("slowest:")
        for (time, name) in slowest.filter({ $0.1.hasPrefix(kind + ":") }).sorted(by: { $0.0 > $1.0 }).prefix(8) {
            print(String(format: "  %8.3f ms  ", time) + name)
        }
    }
    try await store.close()
}

/// What whoever asks first has to wait: the files should not be in the system's cache.
func askFirst(_ folder: String, isAhead: Bool) async throws {
    let begin = ContinuousClock.now
    @Sendable func seconds() -> String { String(format: "%.1f s", (ContinuousClock.now - begin) / .seconds(1)) }
    let store = try await SQLiteStore.open(folder: folder)
    let some = combinations().enumerated().filter { $0.offset.isMultiple(of: 61) }.map(\.element)
    let reading = Task {
        guard isAhead else { return }
        await store.readAttemptsAhead(limit: 16 << 30) { bytes in print("\(seconds()): \(bytes) bytes were read ahead")
        }
    }
    print("\(seconds()): open")
    for _ in 0..<12 {
        var times = Times()
        var slowest = (0.0, "")
        var failed = 0
        for (name, filter) in some {
            for kind in ["count", "list"] {
                do {
                    try await times.measure {
                        if kind == "count" {
                            _ = try await store.countAttempts(accountID: 1, filter: filter)
                        } else {
                            _ = try await store.attempts(accountID: 1, filter: filter, limit: 25, offset: 0)
                        }
                    }
                    if times.all.last ?? 0 > slowest.0 { slowest = (times.all.last ?? 0, "\(kind): \(name)") }
                } catch {
                    failed += 1
                }
            }
        }
        print("\(seconds()): \(times.all.count) answered, \(times.text) (\(slowest.1)); \(failed) took too long")
        try await Task.sleep(for: .seconds(5))
    }
    reading.cancel()
    await reading.value
    try await store.close()
}

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "make" where arguments.count == 3: try await make(arguments[1], Int(arguments[2]) ?? 0)
case "ask" where arguments.count >= 2:
    try await ask(
        arguments[1], times: arguments.dropFirst(2).first.flatMap { Int($0) } ?? 4, json: arguments.contains("--json"))
case "first" where arguments.count >= 2:
    try await askFirst(arguments[1], isAhead: arguments.contains("--ahead"))
case "storm" where arguments.count == 4:
    try await Storm.run(folder: arguments[1], tickets: Int(arguments[2]) ?? 0, seed: UInt64(arguments[3]) ?? 0)
case "refusals" where arguments.count >= 4:
    try await Refusals.run(
        folder: arguments[1], rate: Int(arguments[2]) ?? 0, seconds: Int(arguments[3]) ?? 0,
        admissionRate: arguments.dropFirst(4).first.flatMap { Int($0) } ?? 0,
        addresses: arguments.dropFirst(5).first.flatMap { UInt64($0) } ?? 1 << 32)
case "csv" where arguments.count == 2:
    let count = Int(arguments[1]) ?? 0
    for index in 0..<count {
        let attempt = Event.attempt(index, of: count)
        print(
            [
                String(attempt.id), String(attempt.date.timeIntervalSince1970), attempt.key, attempt.pass,
                attempt.address,
                attempt.app, attempt.video, attempt.isSuccess ? "1" : "0", attempt.reason, String(attempt.repeats),
            ].joined(separator: "\t"))
    }
default:
    let usage = """
        attempt-load make FOLDER ROWS | ask FOLDER [TIMES] [--json] | first FOLDER [--ahead] | csv ROWS | storm FOLDER TICKETS SEED
            | refusals FOLDER RATE SECONDS [ADMISSIONS [ADDRESSES]]

        """
    FileHandle.standardError.write(Data(usage.utf8))
    exit(2)
}

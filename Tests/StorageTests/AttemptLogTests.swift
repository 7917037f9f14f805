import Basics
import Foundation
import GRDB
import StoreSupport
import Testing
import Usher

@testable import Storage

/// The same sequence of numbers for the same seed (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

@Suite("The attempt log in volumes")
struct AttemptLogTests {
    /// A store, and beside it what it must hold, as a plain list.
    private final class Model {
        let store: SQLiteStore
        var random: SeededGenerator
        var rows: [Attempt] = []
        var date = at(0)

        init(_ store: SQLiteStore, seed: UInt64) {
            self.store = store
            random = SeededGenerator(state: seed)
        }

        /// Few values that stand in many rows, and many that stand in few.
        private func skewed(_ name: String) -> String {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4: "\(name)-hot"
            case 4..<7: "\(name)-\(Int.random(in: 0..<5, using: &random))"
            default: "\(name)-\(Int.random(in: 0..<100_000, using: &random))"
            }
        }

        private func address() -> String {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: "unknown"
            case 1: "10.1.2.0/24"
            case 2:
                "2001:db8:\(String(Int.random(in: 0..<4, using: &random), radix: 16))::\(Int.random(in: 0..<99, using: &random))"
            case 3: "::1"
            case 4..<7: "203.0.113.9"
            default: "10.\(Int.random(in: 0..<3, using: &random)).\(Int.random(in: 0..<200, using: &random)).7"
            }
        }

        private func attempt() -> Attempt {
            let isSuccess = Bool.random(using: &random)
            let facts = ViewerFacts(
                key: skewed("key"), pass: skewed("pass"), address: address(),
                app: ["demo-origin", "demo-vod"].randomElement(using: &random) ?? "", instance: "play",
                video: "video\(Int.random(in: 0..<7, using: &random))", pageURL: "https://example.com/\(skewed("p"))",
                referrerURL: "", serverAddress: "192.0.2.1")
            date += Double.random(in: 0..<2, using: &random)
            return Attempt(
                accountID: AccountID(rawValue: Int.random(in: 1...2, using: &random)), date: date, facts: facts,
                isSuccess: isSuccess, reason: isSuccess ? "" : "Invalid Password",
                repeats: isSuccess ? 1 : Int.random(in: 1...3, using: &random))
        }

        func record(_ count: Int) async throws {
            let new = (0..<count).map { _ in attempt() }
            let ids = try await store.write { database in try new.map { try SQLiteStore.insert($0, in: database) } }
            for (attempt, id) in zip(new, ids) {
                var attempt = attempt
                (attempt.id, attempt.address) = (id, SQLiteStore.normalized(attempt.address))
                rows.append(attempt)
            }
        }

        /// Adds to refusals that are recorded already, as folding does.
        func fold(_ count: Int) async throws {
            for _ in 0..<count {
                guard let index = rows.indices.suffix(500).randomElement(using: &random), !rows[index].isSuccess else {
                    continue
                }
                var more = rows[index]
                (more.repeats, more.date) = (2, date)
                let added = more
                let id = try await store.write { try SQLiteStore.record([added], in: $0) }.first
                if id == rows[index].id {
                    rows[index].repeats += 2
                } else if let id {
                    more.id = id
                    rows.append(more)
                }
            }
        }

        /// What goes is a volume when all of it is old, and of the table what is before the first that is not.
        func remove(before date: Date) async throws {
            let (volumes, after) = try await store.read { database in
                (
                    try database.all("SELECT * FROM attempt_volumes").map(AttemptLog.VolumeRow.init),
                    try database.first("SELECT after FROM attempt_log")?.integer("after") ?? 0
                )
            }
            let old = volumes.filter { $0.newest < date.stored }.map { $0.firstID...$0.lastID }
            let kept = rows.first { $0.id > after && $0.date >= date }?.id ?? .max
            let before = rows.count
            rows.removeAll { row in old.contains { $0.contains(row.id) } || row.id > after && row.id < kept }
            let removed = try await store.removeAttempts(before: date)
            #expect(removed == before - rows.count)
        }

        func filter() -> AttemptFilter {
            var filter = AttemptFilter()
            func maybe(_ share: Int = 3) -> Bool { Int.random(in: 0..<share, using: &random) == 0 }
            if maybe() { filter.key = skewed("key") }
            if maybe() { filter.pass = skewed("pass") }
            if maybe() { filter.app = ["demo-origin", "demo-*", "*", "*vod"].randomElement(using: &random) }
            if maybe(2) {
                filter.video = ["video1", "video*", "*", "*2", "mp4:video3", "none"].randomElement(using: &random)
            }
            if maybe(2) {
                filter.address = [
                    "203.0.113.9", "10.0.0.0/8", "10.1.0.0/\(Int.random(in: 8...24, using: &random))", "0.0.0.0/0",
                    "::/0",
                    "2001:db8:1::/48", "10.1.2.0/24", "10.1.2.0/25",
                    "2001:db8::/\(Int.random(in: 20...64, using: &random))",
                ].randomElement(using: &random)
            }
            if maybe() { filter.isSuccess = Bool.random(using: &random) }
            if maybe(6) { filter.since = rows.randomElement(using: &random)?.date }
            if maybe(6) { filter.beforeID = rows.randomElement(using: &random)?.id }
            return filter
        }

        /// What costs little is looked at first: there are thousands of rows and hundreds of filters.
        func expected(_ filter: AttemptFilter) -> [Attempt] {
            let network = filter.address.flatMap { IPNetwork($0) }
            let apps = filter.app.map { names(\.app, that: Wildcard($0)) }
            let videos = filter.video.map { names(\.video, that: Wildcard(VideoName.normalized($0))) }
            return rows.reversed().filter { row in
                guard row.accountID == 1, filter.key ?? row.key == row.key, filter.pass ?? row.pass == row.pass,
                    filter.isSuccess ?? row.isSuccess == row.isSuccess, filter.since ?? row.date <= row.date,
                    filter.beforeID ?? .max > row.id, apps?.contains(row.app) ?? true,
                    videos?.contains(row.video) ?? true
                else { return false }
                return network.map { network in Attempt.place(row.address).map(network.contains) ?? false } ?? true
            }
        }

        /// The rows' names that are meant.
        private func names(_ name: (Attempt) -> String, that wildcard: Wildcard) -> Set<String> {
            Set(rows.map(name)).filter { wildcard.matches($0) }
        }

        func compare(_ questions: Int) async throws {
            for _ in 0..<questions {
                let filter = filter()
                let expected = expected(filter)
                let count = try await store.countAttempts(accountID: 1, filter: filter)
                #expect(count == expected.reduce(0) { $0 + $1.repeats }, "\(filter)")
                let offset = Int.random(in: 0...max(1, expected.count), using: &random)
                let listed = try await store.attempts(accountID: 1, filter: filter, limit: 25, offset: offset)
                // Rows that were folded into later keep their place by the date.
                #expect(listed.map(\.id) == expected.dropFirst(offset).prefix(25).map(\.id), "\(filter) from \(offset)")
                for (one, other) in zip(listed, expected.dropFirst(offset)) {
                    var other = other
                    other.date = Date(stored: other.date.stored)
                    #expect(one == other)
                }
            }
        }
    }

    private func withModel(seed: UInt64, _ body: (Model) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await body(Model(store, seed: seed))
            try await store.close()
        }
    }

    @Test(
        "Counts and lists are those of a plain scan, whatever is packed, merged, folded and removed", arguments: 0..<6)
    func sameAsScan(seed: Int) async throws {
        try await withModel(seed: UInt64(seed)) { model in
            for step in 0..<24 {
                switch Int.random(in: 0..<8, using: &model.random) {
                case 0..<3: try await model.record(Int.random(in: 1..<400, using: &model.random))
                case 3: try await model.fold(20)
                case 4..<7: try await model.store.packer.pack(atLeast: 1, now: model.date)
                default: try await model.remove(before: model.date.addingTimeInterval(-600))
                }
                if step % 4 == 3 { try await model.compare(15) }
            }
        }
    }

    @Test("Keys, passes and pairs of them that stand in thousands of rows of a volume are counted like all others")
    func frequent() async throws {
        try await withModel(seed: 99) { model in
            try await model.record(12_000)
            try await model.store.packer.pack(atLeast: 1, now: model.date)
            let hot = AttemptFilter(key: "key-hot", pass: "pass-hot")
            #expect(model.expected(hot).count > VolumeOrder.maximumWalk / 2)
            for network in [nil, "10.0.0.0/9", "203.0.113.9", "2001:db8::/32"] {
                for video in [nil, "video1", "video*"] {
                    for success in [nil, true, false] {
                        for (key, pass) in [
                            ("key-hot", "pass-hot"), ("key-hot", nil), (nil, "pass-hot"), ("key-1", "pass-hot"),
                        ]
                            as [(String?, String?)]
                        {
                            let filter = AttemptFilter(
                                key: key, pass: pass, video: video, address: network, isSuccess: success)
                            let count = try await model.store.countAttempts(accountID: 1, filter: filter)
                            #expect(count == model.expected(filter).reduce(0) { $0 + $1.repeats }, "\(filter)")
                        }
                    }
                }
            }
            try await model.compare(40)
        }
    }

    @Test("Eight small volumes become one, and say what they said")
    func merged() async throws {
        try await withModel(seed: 7) { model in
            for _ in 0..<7 {
                try await model.record(300)
                try await model.store.packer.pack(atLeast: 1, now: model.date)
            }
            #expect(try await Self.files(model.store).count == 7)
            try await model.record(300)
            try await model.store.packer.pack(atLeast: 1, now: model.date)
            #expect(try await Self.files(model.store).count == 1)
            try await model.compare(60)
        }
    }

    @Test("Rows stay in the table until there are enough for a volume")
    func enough() async throws {
        try await withModel(seed: 8) { model in
            try await model.record(100)
            try await model.store.packer.pack(atLeast: 101, now: model.date)
            #expect(try await Self.files(model.store) == [])
            try await model.store.packer.pack(atLeast: 100, now: model.date)
            #expect(try await Self.files(model.store).count == 1)
            let left = try await model.store.read { try $0.first("SELECT count(*) AS n FROM attempts")?.int("n") }
            #expect(left == 0)
            try await model.record(1)
            #expect(model.rows.map(\.id) == Array(1...101))
        }
    }

    private static func files(_ store: SQLiteStore) async throws -> [String] {
        let listed = try await store.read { try $0.all("SELECT file FROM attempt_volumes").map { try $0.text("file") } }
        let there = try FileManager.default.contentsOfDirectory(atPath: store.log.folder)
        #expect(Set(listed) == Set(there))
        return listed
    }

    @Test("A second process sees what the first recorded, folded, packed and removed")
    func together() async throws {
        try await withTemporaryFolder { folder in
            let one = try await SQLiteStore.openForTest(folder: folder)
            let two = try await SQLiteStore.openForTest(folder: folder)
            let model = Model(one, seed: 3)
            func same() async throws {
                let counts = (
                    try await one.countAttempts(accountID: 1, filter: AttemptFilter()),
                    try await two.countAttempts(accountID: 1, filter: AttemptFilter())
                )
                let expected = model.expected(AttemptFilter())
                #expect(counts == (expected.reduce(0) { $0 + $1.repeats }, counts.0))
                let listed = try await two.attempts(accountID: 1, filter: AttemptFilter(), limit: 50, offset: 0)
                #expect(listed.map(\.id) == expected.prefix(50).map(\.id))
            }
            try await model.record(300)
            try await same()
            try await model.fold(30)
            try await same()
            try await one.packer.pack(atLeast: 1, now: model.date)
            try await same()
            try await model.record(10)
            try await model.fold(30)
            try await same()
            try await two.packer.pack(atLeast: 1, now: model.date)
            try await same()
            try await model.remove(before: model.date)
            try await same()
            try await two.close()
            try await one.close()
        }
    }

    @Test("A volume holds rows of a day, or of a sixteenth of their age")
    func spans() {
        let now = at(0)
        func stored(_ days: Double) -> Int64 { now.addingTimeInterval(-days * 86_400).stored }
        #expect(AttemptPacker.mayHold(from: stored(1), to: stored(0), now: now))
        #expect(!AttemptPacker.mayHold(from: stored(1.1), to: stored(0), now: now))
        #expect(AttemptPacker.mayHold(from: stored(64), to: stored(60), now: now))
        #expect(!AttemptPacker.mayHold(from: stored(64), to: stored(59.9), now: now))
    }

    @Test("Rows of many days are packed by the day")
    func days() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            for day in 0..<6 {
                try await store.write { database in
                    for hour in [0.0, 6, 12] {
                        try SQLiteStore.insert(.refusal(date: at(Double(day) * 86_400 + hour * 3_600)), in: database)
                    }
                }
            }
            try await store.packer.pack(atLeast: 1, now: at(6 * 86_400))
            let volumes = try await store.read {
                try $0.all("SELECT * FROM attempt_volumes ORDER BY first_id").map(AttemptLog.VolumeRow.init)
            }
            #expect(volumes.map(\.rows) == [4, 4, 4, 4, 2])
            #expect(try await store.removeAttempts(before: at(2 * 86_400)) == 4)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 14)
            try await store.close()
        }
    }

    @Test("A file that nobody named is removed after an hour, and a damaged one is an error that names it")
    func files() async throws {
        try await withModel(seed: 5) { model in
            let stray = "\(model.store.log.folder)/1-aaaaaaaa.volume"
            try Data("no volume".utf8).write(to: URL(fileURLWithPath: stray))
            try await model.record(50)
            try await model.store.packer.pack(atLeast: 1, now: Date().addingTimeInterval(3_700))
            let files = try await Self.files(model.store)
            let path = "\(model.store.log.folder)/\(files.first ?? "")"
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            for length in [0, 20, whole.count - 8] {
                try whole.prefix(length).write(to: URL(fileURLWithPath: path))
                await #expect(throws: StoreError.unavailable("\(path): is no volume of the attempt log")) {
                    try await model.store.countAttempts(accountID: 1, filter: AttemptFilter())
                }
            }
        }
    }

    @Test("A volume that is cut short while it is in use is an error that names it, and the process goes on")
    func cutShort() async throws {
        try await withModel(seed: 8) { model in
            try await model.record(3_000)
            try await model.store.packer.pack(atLeast: 1, now: model.date)
            let path = "\(model.store.log.folder)/\(try await Self.files(model.store).first ?? "")"
            let all = AttemptFilter()
            let whole = try await model.store.countAttempts(accountID: 1, filter: all)
            #expect(whole > 0)
            #expect(truncate(path, 100) == 0)
            let refusal = StoreError.unavailable("\(path): cannot be read")
            for filter in [all, AttemptFilter(key: "key-hot"), AttemptFilter(since: at(10))] {
                await #expect(throws: refusal) {
                    try await model.store.countAttempts(accountID: 1, filter: filter)
                }
                await #expect(throws: refusal) {
                    try await model.store.attempts(accountID: 1, filter: filter, limit: 25, offset: 0)
                }
            }
            // Who is let in is recorded as ever.
            model.rows = []
            try await model.record(10)
            await #expect(throws: refusal) { try await model.store.countAttempts(accountID: 1, filter: all) }
        }
    }

    @Test("A volume that cannot be read is in no other: what was to be made of it and others is not made")
    func cutShortMerged() async throws {
        try await withModel(seed: 9) { model in
            for _ in 0..<7 {
                try await model.record(400)
                try await model.store.packer.pack(atLeast: 1, now: model.date)
            }
            let paths = try await Self.files(model.store).map { "\(model.store.log.folder)/\($0)" }
            let volumes = try paths.map { try AttemptVolume(path: $0) }
            #expect(truncate(paths[3], 4_096) == 0)
            let path = "\(model.store.log.folder)/merged.volume"
            let writer = try AttemptVolumeWriter(path: path)
            for (index, volume) in volumes.enumerated() where index != 3 { try writer.append(volume) }
            #expect(throws: StoreError.unavailable("\(paths[3]): cannot be read")) { try writer.append(volumes[3]) }
            #expect(throws: StoreError.unavailable("\(paths[3]): is no volume of the attempt log")) {
                try AttemptVolume(path: paths[3])
            }
        }
    }

    @Test("Whatever bytes of a volume are wrong, it is read or refused, and nothing else happens", arguments: 0..<40)
    func damaged(seed: Int) async throws {
        try await withModel(seed: UInt64(seed)) { model in
            try await model.record(120)
            try await model.store.packer.pack(atLeast: 1, now: model.date)
            let files = try await Self.files(model.store)
            let path = "\(model.store.log.folder)/\(files.first ?? "")"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            for _ in 0..<20 {
                let place = Int.random(in: 0..<bytes.count, using: &model.random)
                bytes[place] = UInt8.random(in: 0...255, using: &model.random)
            }
            try bytes.write(to: URL(fileURLWithPath: path))
            for _ in 0..<20 {
                let filter = model.filter()
                _ = try? await model.store.countAttempts(accountID: 1, filter: filter)
                _ = try? await model.store.attempts(accountID: 1, filter: filter, limit: 25, offset: 3)
            }
        }
    }

    @Test("A question that is answered ends when nobody waits for its answer any more")
    func end() async throws {
        try await withModel(seed: 6) { model in
            try await model.record(10)
            try await model.store.packer.pack(atLeast: 1, now: model.date)
            _ = try await model.store.countAttempts(accountID: 1, filter: AttemptFilter())
            let state = try model.store.log.takeIn(AttemptLog.News(generation: 0, after: 0))
            let end = QuestionEnd()
            let question = try #require(
                AttemptQuestion(accountID: 1, filter: AttemptFilter(), hash: model.store.attemptHash, end: end))
            #expect(try state.count(question) > 0)
            end.come()
            #expect(throws: CancellationError.self) { try state.count(question) }
            #expect(throws: CancellationError.self) {
                try state.find(question, upTo: .max, limit: 1_000, offset: 0)
            }
        }
    }

    @Test("Attempts of a database from before there were volumes are all there, and numbers go on behind theirs")
    func before() async throws {
        try await withTemporaryFolder { folder in
            let old = try DatabaseQueue(path: "\(folder)/\(SQLiteStore.fileName)")
            try await old.write { database in
                try Migrations.firstTables(database)
                try database.execute(
                    sql: """
                        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
                        INSERT INTO grdb_migrations VALUES ('001 first tables');
                        INSERT INTO accounts (cdn, user, created) VALUES (1, 'demo', 0);
                        """)
                for id in [3, 4, 9] {
                    try database.execute(
                        sql: """
                            INSERT INTO attempts (
                                id, cdn, date, key, pass, address, address_key, video, app, instance, page_url, referrer_url,
                                is_success, reason, server_address, repeats, folding_key
                            ) VALUES (
                                ?, 1, ?, 'k', 'p', '192.0.2.1', x'00', 'show', 'demo-origin', 'play', 'page', 'from', 0,
                                'Ticket Revoked', '192.0.2.9', 5, 7)
                            """, arguments: [id, at(Double(id)).stored])
                }
            }
            try old.close()

            let store = try await SQLiteStore.openForTest(folder: folder)
            let filter = AttemptFilter(address: "192.0.2.0/24")
            #expect(try await store.countAttempts(accountID: 1, filter: filter) == 15)
            let rows = try await store.attempts(accountID: 1, filter: filter, limit: 9, offset: 0)
            #expect(rows.map(\.id) == [9, 4, 3])
            #expect(rows.map(\.referrerURL) == ["from", "from", "from"])
            #expect(try await store.removeAttempts(before: at(100)) == 3)
            #expect(try await store.write { try SQLiteStore.insert(.refusal(), in: $0) } == 10)
            try await store.close()
        }
    }

    @Test("What an earlier process left unpacked is packed when the next one records", arguments: [true, false])
    func leftOver(isRefusal: Bool) async throws {
        try await withTemporaryFolder { folder in
            let first = try await SQLiteStore.openForTest(folder: folder)
            try await first.insertAccount(.demo)
            _ = try await first.insertTicket(.sample())
            try await first.write { database in
                try SQLiteStore.insert(.refusal(date: at(0)), in: database)
                let columns = """
                    key, pass, address, video, app, instance, page_url, referrer_url, is_success, reason, server_address,
                    repeats
                    """
                try database.run(
                    """
                    WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?)
                    INSERT INTO attempts (cdn, date, \(columns)) SELECT cdn, date + number, \(columns) FROM attempts, numbers
                    """, [AttemptPacker.rows - 1])
            }
            try await first.close()
            let second = try await SQLiteStore.openForTest(folder: folder)
            if isRefusal {
                second.recordRefusal(.refusal(), foldingWindow: 10)
                #expect(try await second.countAttempts(accountID: 1, filter: AttemptFilter()) == AttemptPacker.rows + 1)
            } else {
                #expect(try await second.admit(.sample()).openedTicket != nil)
            }
            var volumes = 0
            for _ in 0..<100_000 where volumes == 0 {
                volumes =
                    try await second.read { try $0.first("SELECT count(*) AS n FROM attempt_volumes")?.int("n") } ?? 0
            }
            #expect(volumes == 1)
            #expect(try await second.countAttempts(accountID: 1, filter: AttemptFilter()) == AttemptPacker.rows + 1)
            try await second.close()
        }
    }

    @Test("Questions of another process are answered exactly while volumes are made, merged and removed under them")
    func underway() async throws {
        try await withTemporaryFolder { folder in
            let one = try await SQLiteStore.openForTest(folder: folder)
            let two = try await SQLiteStore.openForTest(folder: folder)
            try await one.write { database in
                for index in 0..<40 { try SQLiteStore.insert(.refusal(date: at(Double(index))), in: database) }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for _ in 0..<40 {
                        try await one.packer.pack(atLeast: 1, now: at(100))
                        try await one.write { try SQLiteStore.insert(.refusal(accountID: 2, date: at(50)), in: $0) }
                    }
                }
                for _ in 0..<300 {
                    #expect(try await two.countAttempts(accountID: 1, filter: AttemptFilter()) == 40)
                }
                try await group.waitForAll()
            }
            try await two.close()
            try await one.close()
        }
    }

    @Test("A volume that is not there is an error that names it")
    func missing() async throws {
        try await withModel(seed: 4) { model in
            try await model.record(20)
            try await model.store.packer.pack(atLeast: 1, now: model.date)
            let file = try #require(try await Self.files(model.store).first)
            let path = "\(model.store.log.folder)/\(file)"
            try FileManager.default.removeItem(atPath: path)
            await #expect(throws: StoreError.unavailable("\(path) is not there")) {
                try await model.store.countAttempts(accountID: 1, filter: AttemptFilter())
            }
        }
    }
}

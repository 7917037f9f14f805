import Foundation
import GRDB
import StoreSupport
import TestSupport
import Testing
import Usher

@testable import Storage

@Suite("SQLite store")
struct SQLiteStoreTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
    }

    @Test("Folder and files are the server's alone")
    func modes() async throws {
        try await withTemporaryFolder { parent in
            let folder = parent + "/deeper/data"
            let store = try await SQLiteStore.open(folder: folder)
            try await store.insertAccount(.demo)
            #expect(try mode(folder) == 0o700)
            let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            #expect(
                files == [
                    "attempts", "playhouse.sqlite", "playhouse.sqlite-shm", "playhouse.sqlite-wal",
                    "playhouse.sqlite.lock",
                    "secret.key",
                ])
            for file in files {
                #expect(try mode("\(folder)/\(file)") == (file == "attempts" ? 0o700 : 0o600), "\(file)")
            }
            try await store.close()
        }
    }

    @Test("Writes are durable: WAL, full synchronization, foreign keys")
    func pragmas() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.open(folder: folder)
            let values = try await store.write { database in
                try [
                    database.first("PRAGMA journal_mode")?.text("journal_mode") ?? "",
                    "\(database.first("PRAGMA synchronous")?.int("synchronous") ?? -1)",
                    "\(database.first("PRAGMA foreign_keys")?.int("foreign_keys") ?? -1)",
                    "\(database.first("PRAGMA busy_timeout")?.int("timeout") ?? -1)",
                ]
            }
            #expect(values == ["wal", "2", "1", "5000"])
            try await store.close()
        }
    }

    @Test("Caches, maps and the write-ahead log have the sizes that the decision on the store says")
    func sizes() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.open(folder: folder)
            let read: @Sendable (Database) throws -> [String: Int] = { database in
                try ["cache_size", "mmap_size", "wal_autocheckpoint", "journal_size_limit"].reduce(into: [:]) {
                    $0[$1] = try Int.fetchOne(database, sql: "PRAGMA \($1)")
                }
            }
            let writer = try await store.write { try read($0) }
            #expect(
                writer == [
                    "cache_size": -16_384, "mmap_size": 0, "wal_autocheckpoint": 4_000,
                    "journal_size_limit": 33_554_432,
                ])
            let readers = [
                try await store.readBriefly(read), try await store.read(read),
                try await store.report(of: 1, read),
            ]
            #expect(readers.map { $0["cache_size"] } == [-8_192, -2_048, -2_048])
            #expect(readers.map { $0["mmap_size"] } == [0, 0, 0])
            try await store.close()
        }
        let decision = try String(
            contentsOfFile: Places.repository + "/docs/decisions/0014-storage.md", encoding: .utf8)
        for row in [
            "| `cache_size` | 16 MiB for the writer, 8 MiB for the door's questions, 2 MiB for each other reader |",
            "| `mmap_size` | 0 |", "| `wal_autocheckpoint` | 4,000 pages (16 MiB) |",
            "| `journal_size_limit` | 32 MiB |",
        ] {
            #expect(decision.contains(row))
        }
    }

    @Test("Everything is there after closing and opening")
    func reopened() async throws {
        try await withTemporaryFolder { folder in
            let first = try await SQLiteStore.open(folder: folder)
            try await first.insertAccount(.demo)
            let ticket = try await first.insertTicket(.sample())
            _ = try await first.admit(.sample(now: at(0), id: "one", joinWindow: 60))
            first.recordRefusal(.refusal(), foldingWindow: 10)
            let push = try await first.insertPush(
                PushService(
                    accountID: 1, name: "p", service: "rtmp", destination: ["a": "b"], created: at(0), updated: at(0))
            )
            let number = try await first.reserveSequence(name: "s", count: 7)
            _ = try await first.beginReplay(digest: "d", now: at(0), expires: at(300))
            try await first.finishReplay(digest: "d", reply: "r")
            try await first.close()

            let second = try await SQLiteStore.open(folder: folder)
            #expect(try await second.accounts() == [.demo])
            #expect(try await second.ticket(key: "k1")?.id == ticket.id)
            #expect(try await second.sessionToJoin(.sample(now: at(1), joinWindow: 60)) == "one")
            #expect(try await second.countAttempts(accountID: 1, filter: AttemptFilter()) == 2)
            #expect(try await second.pushes(accountID: 1) == [push])
            #expect(try await second.reserveSequence(name: "s", count: 1) == number + 7)
            #expect(try await second.beginReplay(digest: "d", now: at(1), expires: at(300)) == .answered("r"))
            #expect(try await second.currentTicketRevision() == 1)
            try await second.close()
        }
    }

    @Test("What was written is there for a copy of the files taken without closing, as after a crash")
    func crashed() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.open(folder: folder + "/live")
            try await store.insertAccount(.demo)
            try FileManager.default.copyItem(atPath: folder + "/live", toPath: folder + "/copy")
            let copy = try await SQLiteStore.open(folder: folder + "/copy")
            #expect(try await copy.accounts() == [.demo])
            try await copy.close()
            try await store.close()
        }
    }

    @Test("Two stores on one file count a ticket's uses together")
    func together() async throws {
        try await withTemporaryFolder { folder in
            let one = try await SQLiteStore.openForTest(folder: folder)
            try await one.insertAccount(.demo)
            _ = try await one.insertTicket(.sample(uses: 10))
            let two = try await SQLiteStore.openForTest(folder: folder)
            let outcomes = try await withThrowingTaskGroup(of: Verdict<AdmittedSession>.self) { group in
                for index in 0..<100 {
                    group.addTask { try await (index.isMultiple(of: 2) ? one : two).admit(.sample()) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.compactMap(\.openedTicket).map(\.usedCount).sorted() == Array(1...10))
            #expect(outcomes.count { $0 == .refused(.noUsesRemaining) } == 90)
            #expect(try await one.ticket(key: "k1") == two.ticket(key: "k1"))
            try await two.close()
            // The other's closing leaves the first one's locks and data alone.
            #expect(try await one.countAttempts(accountID: 1, filter: AttemptFilter()) == 100)
            try await one.insertAccount(.other)
            try await one.close()
        }
    }

    @Test("Two stores on one file count a ticket's sessions together")
    func sessionsTogether() async throws {
        try await withTemporaryFolder { folder in
            let one = try await SQLiteStore.openForTest(folder: folder)
            try await one.insertAccount(.demo)
            let ticket = try await one.insertTicket(.sample(uses: 0, maximumSessions: 5))
            let two = try await SQLiteStore.openForTest(folder: folder)
            let verdicts = try await withThrowingTaskGroup(of: Verdict<AdmittedSession>.self) { group in
                for index in 0..<60 {
                    group.addTask { try await (index.isMultiple(of: 2) ? one : two).admit(.sample(id: "s\(index)")) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let running = verdicts.compactMap { $0.grant?.id }
            #expect(running.count == 5)
            #expect(verdicts.count { $0 == .refused(.noUsesRemaining) } == 55)
            // What one of them opened the other may end.
            try await two.endSession(id: try #require(running.first))
            #expect(try await one.runningSessions(ofTicket: ticket.id, heardAfter: at(-1)) == 4)
            #expect(try await one.admit(.sample()).grant != nil)
            try await two.close()
            try await one.close()
        }
    }

    @Test("Several that open a new folder at once all get in")
    func openedAtOnce() async throws {
        try await withTemporaryFolder { folder in
            let stores = try await withThrowingTaskGroup(of: SQLiteStore.self) { group in
                for _ in 0..<4 { group.addTask { try await SQLiteStore.open(folder: folder + "/new") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try await stores[0].insertAccount(.demo)
            for store in stores {
                #expect(try await store.accounts() == [.demo])
                try await store.close()
            }
        }
    }

    @Test("While one start is inside the lock nobody else gets it, and afterwards somebody does")
    func lock() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/lock"
            func isFree() throws -> Bool {
                let descriptor = open(path, O_RDWR | O_CLOEXEC)
                try #require(descriptor >= 0)
                defer { close(descriptor) }
                return flock(descriptor, LOCK_EX | LOCK_NB) == 0
            }
            let whileHeld = try DataFolder.withLock(path) { try isFree() }
            #expect(!whileHeld)
            let afterwards = try isFree()
            #expect(afterwards)
            #expect(throws: StoreError.closed) { try DataFolder.withLock(path) { throw StoreError.closed } }
            let afterFailure = try isFree()
            #expect(afterFailure)
        }
    }

    @Test("A folder that is none, and a file that is no database, are errors")
    func unusable() async throws {
        try await withTemporaryFolder { folder in
            try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/file"))
            await #expect(throws: StoreError.failed("\(folder)/file is not a folder")) {
                try await SQLiteStore.open(folder: folder + "/file")
            }
            let reason = "the folder \(folder)/file/data cannot be created by uid \(getuid()): Not a directory"
            await #expect(throws: StoreError.failed(reason)) {
                try await SQLiteStore.open(folder: folder + "/file/data/deeper")
            }
            try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: folder + "/playhouse.sqlite"))
            let damaged = "\(folder)/playhouse.sqlite: SQLite 26, file is not a database"
            await #expect(throws: StoreError.failed(damaged)) { try await SQLiteStore.open(folder: folder) }
        }
    }

    @Test("One server claims a store; another is told, whatever else has it open")
    func claimed() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.open(folder: folder)
            #expect(SQLiteStore.claimServer(folder: folder))
            #expect(!SQLiteStore.claimServer(folder: folder))
            try await store.close()
            // It is the process that has claimed it, not the store that it opened.
            #expect(!SQLiteStore.claimServer(folder: folder))
        }
    }

    @Test("A store that was closed is one file")
    func oneFile() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.open(folder: folder + "/a")
            try await store.insertAccount(.demo)
            try await store.close()
            try FileManager.default.createDirectory(atPath: folder + "/b", withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: "\(folder)/a/\(SQLiteStore.fileName)", toPath: "\(folder)/b/\(SQLiteStore.fileName)")
            let copy = try await SQLiteStore.open(folder: folder + "/b")
            #expect(try await copy.accounts() == [.demo])
            try await copy.close()
        }
    }

    @Test("A database that a newer version wrote is left alone")
    func newer() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.open(folder: folder)
            try await store.write {
                try $0.run("INSERT INTO grdb_migrations (identifier) VALUES ('999 from tomorrow')")
            }
            try await store.close()
            await #expect(
                throws: StoreError.failed("the database was written by a newer version of Playhouse")
            ) { try await SQLiteStore.open(folder: folder) }
        }
    }

    @Test("Settings of a database from before they were inherited keep what was said, and close what nobody opened")
    func settingsThatInherit() async throws {
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
                let rows: [(id: Int, app: String, stream: String, protection: String, ends: Int, record: Int)] = [
                    (1, "demo-origin", "*", "sevu", 0, 0), (2, "demo-origin", "vip", "none", 1, 1),
                    (3, "demo-origin", "paid", "sevu", 1, 0), (4, "demo-vod", "*", "none", 1, 0),
                    (5, "demo-vod", "film", "none", 1, 0), (6, "demo-vod", "gone", "none", 1, 0),
                ]
                for row in rows {
                    try database.execute(
                        sql: """
                            INSERT INTO streams (id, cdn, app, stream, protection, ends_on_unpublish, record, enable_dvr, created)
                            VALUES (?, 1, ?, ?, ?, ?, ?, 0, 0)
                            """,
                        arguments: [row.id, row.app, row.stream, row.protection, row.ends, row.record])
                }
                try database.execute(
                    sql: """
                        INSERT INTO stream_users (stream_id, cdn, app, stream, user, created)
                        VALUES (2, 1, 'demo-origin', 'vip', 'ann', 0);
                        DELETE FROM streams WHERE id = 6;
                        """)
            }
            try old.close()

            let store = try await SQLiteStore.open(folder: folder)
            let rows = try await store.streams(accountID: 1)
            #expect(rows.map(\.id) == [1, 2, 3, 4, 5])
            #expect(rows.map(\.protection) == [.sevu, nil, .sevu, .open, .open])
            #expect(rows.map(\.endsOnUnpublish) == [false, nil, nil, nil, nil])
            #expect(rows.map(\.record) == [nil, true, nil, nil, nil])
            #expect(rows.map(\.enableDVR) == [nil, nil, nil, nil, nil])
            #expect(try await store.streamUsers(accountID: 1, app: nil, stream: nil).map(\.streamID) == [2])
            // The number of the row that was deleted is not given again, and users still belong to their streams.
            #expect(
                try await store.upsertStream(
                    StreamSettings(accountID: 1, app: "demo-vod", stream: "new", created: at(0))
                ).id == 7)
            await #expect(throws: StoreError.self) {
                try await store.write { try $0.run("UPDATE stream_users SET stream_id = 99") }
            }
            try await store.close()
        }
    }

    @Test("A damaged row is an error, not a trap")
    func damaged() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await store.insertAccount(.demo)
            let key = try await store.insertKey(.generate(accountID: 1, rights: .full, label: "", now: at(0)))
            let push = try await store.insertPush(
                PushService(accountID: 1, name: "", service: "", destination: [:], created: at(0), updated: at(0)))
            try await store.write { database in
                try database.run("UPDATE api_keys SET rights = 'everything'")
                try database.run(
                    "UPDATE pushes SET destination = ?",
                    [try store.secret.seal("not JSON", context: PushService.sealContext(id: push.id))])
            }
            await #expect(throws: StoreError.failed("column rights holds what it should not")) {
                try await store.key(apiKey: key.apiKey)
            }
            await #expect(throws: StoreError.failed("column destination holds what it should not")) {
                try await store.push(id: push.id, accountID: 1)
            }
            try await store.close()
        }
    }

    @Test("More rows than one step of removal takes are removed all the same")
    func removedInSteps() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await store.write { database in
                for second in 0..<4_500 {
                    try SQLiteStore.insert(.refusal(date: at(Double(second) * 20)), in: database)
                }
            }
            #expect(try await store.removeAttempts(before: at(4_400 * 20)) == 4_400)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 100)
            try await store.close()
        }
    }

    @Test("The queries of admission and of the log use an index")
    func indexes() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            let queries = [
                "SELECT * FROM tickets WHERE key = 'k'": "tickets",
                "SELECT * FROM tickets WHERE revision > 5 ORDER BY revision LIMIT 9": "tickets_by_revision",
                """
                SELECT id FROM sessions WHERE ticket_id = 1 AND address = 'a' AND app = 'b' AND video = 'c'
                AND last_seen > 5 AND is_joinable = 1 AND ended IS NULL ORDER BY last_seen DESC LIMIT 1
                """: "sessions_to_join",
                "SELECT id, cdn FROM attempts WHERE id > 5 ORDER BY id": "INTEGER PRIMARY KEY",
                "SELECT id FROM sessions WHERE last_seen < 5 ORDER BY last_seen LIMIT 9": "sessions_by_age",
                "SELECT * FROM origin_events WHERE cdn = 1 AND app = 'a' ORDER BY date DESC, id DESC LIMIT 9":
                    "origin_events_by_app",
            ]
            for (query, index) in queries {
                let plan = try await store.read { database in
                    try database.all("EXPLAIN QUERY PLAN " + query).map { try $0.text("detail") }
                }
                #expect(
                    plan.allSatisfy {
                        // A viewer has a handful of sessions, which may be sorted.
                        $0.contains("SEARCH") && $0.contains(index) || $0.contains("INDEX") && $0.contains(index)
                            || $0 == "USE TEMP B-TREE FOR ORDER BY" && index == "sessions_to_join"
                    }, "\(query): \(plan)")
            }
            try await store.close()
        }
    }
}

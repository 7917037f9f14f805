import Basics
import Foundation
import GRDB
import StoreSupport
import TestSupport
import Testing
import Usher

@testable import Storage

/// A file system in memory, mounted where a store has its volumes.
private struct SmallDisk {
    let path: String

    static func isPossible() async -> Bool {
        guard geteuid() == 0, let folder = try? Folder(),
            let disk = try? await SmallDisk(at: folder.path, bytes: 65_536)
        else { return false }
        await disk.remove()
        return true
    }

    init(at path: String, bytes: Int) async throws {
        self.path = path
        let result = try await ForeignProgram.run(["mount", "-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", path])
        guard result.status == 0 else { throw ProgramFailure(description: result.errors) }
    }

    func remove() async {
        _ = try? await ForeignProgram.run(["umount", "-l", path])
    }

    private var filler: String { path + "/filler" }

    /// Leaves no more than some pages free.
    func fill(leaving pages: Int) throws {
        try Data().write(to: URL(fileURLWithPath: filler))
        let handle = try #require(FileHandle(forWritingAtPath: filler))
        var count = 0
        while (try? handle.write(contentsOf: Data(count: 4_096))) != nil { count += 1 }
        try handle.truncate(atOffset: UInt64(max(0, count - pages) * 4_096))
        try handle.close()
    }

    func free() throws {
        try FileManager.default.removeItem(atPath: filler)
    }

    var volumes: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".volume") }.sorted()
        }
    }
}

/// The attempt log on a file system of its own that is full, beside a database that is on another.
@Suite("The attempt log on a full disk", .enabled("mounting needs root") { await SmallDisk.isPossible() })
struct FullDiskTests {
    private func run(_ body: (SQLiteStore, SmallDisk, CapturedLog) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/attempts"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            let disk = try await SmallDisk(at: path, bytes: 512 << 10)
            let log = CapturedLog()
            do {
                let store = try await SQLiteStore.openForTest(folder: folder, logger: log.logger)
                try await store.insertAccount(.demo)
                _ = try await store.insertTicket(.sample(uses: 1_000))
                try await body(store, disk, log)
                try await store.close()
            } catch {
                await disk.remove()
                throw error
            }
            await disk.remove()
        }
    }

    private func record(_ count: Int, from first: Int = 0, in store: SQLiteStore) async throws {
        try await store.write { database in
            for index in first..<(first + count) {
                let facts = ViewerFacts.sample(key: "key-\(index)", address: "10.0.\(index >> 8).\(index & 255)")
                try SQLiteStore.insert(.refusal(facts, date: at(Double(index))), in: database)
            }
        }
    }

    private func count(_ store: SQLiteStore) async throws -> Int {
        try await store.countAttempts(accountID: 1, filter: AttemptFilter(isSuccess: false))
    }

    /// What cannot be done for want of room, and says so.
    private func expectNoRoom(_ work: () async throws -> Void) async {
        do {
            try await work()
            Issue.record("there was room")
        } catch StoreError.unavailable(let reason) {
            #expect(reason.hasSuffix(".volume cannot be written: No space left on device"))
        } catch {
            Issue.record(error)
        }
    }

    @Test(
        "A volume that finds no room leaves no file, and rows and admissions are what they were",
        arguments: [0, 1, 4])
    func packing(pages: Int) async throws {
        try await run { store, disk, _ in
            try await record(3_000, in: store)
            try disk.fill(leaving: pages)
            for round in 1...3 {
                await expectNoRoom { try await store.packer.pack(atLeast: 1, now: at(3_000)) }
                #expect(try disk.volumes == [])
                #expect(try await count(store) == 3_000)
                #expect(try await store.admit(.sample()).openedTicket?.usedCount == round)
            }
            try disk.free()
            try await store.packer.pack(atLeast: 1, now: at(3_000))
            #expect(try disk.volumes.count == 1)
            #expect(try await count(store) == 3_000)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter(isSuccess: true)) == 3)
        }
    }

    @Test("Volumes of several days of which the last finds no room leave none of their files")
    func days() async throws {
        try await run { store, disk, _ in
            try await store.write { database in
                for index in 0..<3_000 {
                    // A few rows of a first day, all others of another.
                    let date = index < 10 ? at(0) : at(200_000)
                    try SQLiteStore.insert(.refusal(.sample(key: "key-\(index)"), date: date), in: database)
                }
            }
            try disk.fill(leaving: 4)
            await expectNoRoom { try await store.packer.pack(atLeast: 1, now: at(200_000)) }
            #expect(try disk.volumes == [])
            #expect(try await count(store) == 3_000)
        }
    }

    @Test("Volumes that find no room to be merged stay what they are, and are merged when there is room")
    func merging() async throws {
        try await run { store, disk, _ in
            for round in 0..<8 {
                try await record(300, from: round * 300, in: store)
                if round == 7 { try disk.fill(leaving: 30) }
                do {
                    try await store.packer.pack(atLeast: 1, now: at(2_400))
                } catch StoreError.unavailable(let reason) where round == 7 {
                    #expect(reason.hasSuffix(".volume cannot be written: No space left on device"))
                }
            }
            let volumes = try disk.volumes
            #expect(volumes.count == 8)
            await expectNoRoom { _ = try await store.packer.mergeSome(now: at(2_400)) }
            #expect(try disk.volumes == volumes)
            #expect(try await count(store) == 2_400)
            try disk.free()
            #expect(try await store.packer.mergeSome(now: at(2_400)))
            #expect(try disk.volumes.count == 1)
            #expect(try await count(store) == 2_400)
        }
    }

    @Test("The log says once that there is no room, and once that packing goes on when there is some")
    func log() async throws {
        try await run { store, disk, log in
            try await record(3_000, in: store)
            try disk.fill(leaving: 1)
            let packer = store.packer
            let packing = Task<Void, any Error> {
                await packer.packUntilDone(atLeast: 1, retryInterval: .milliseconds(1))
            }
            let failing = "the attempt log cannot be packed; no attempt is lost, and it is tried again"
            try await eventually("the line") { log.texts == [failing] }
            let error = log.lines.first?.metadata?["error"].map { "\($0)" } ?? ""
            #expect(error.contains("No space left on device"))
            // Some more tries.
            for _ in 0..<50 { #expect(try await count(store) == 3_000) }
            #expect(log.texts == [failing])
            try disk.free()
            try await outcome(of: packing, "the packing")
            #expect(log.texts == [failing, "the attempt log is packed again"])
            #expect(try disk.volumes.count == 1)
            #expect(try await count(store) == 3_000)
            // What goes well from the start is not worth a line.
            try await record(10, from: 3_000, in: store)
            await packer.packUntilDone(atLeast: 1, retryInterval: .milliseconds(1))
            #expect(log.texts.count == 2)
        }
    }

    @Test("A store is closed while its packing waits for room")
    func closing() async throws {
        try await run { store, disk, log in
            try await record(1_000, in: store)
            try disk.fill(leaving: 1)
            let packer = store.packer
            let packing = Task<Void, any Error> {
                await packer.packUntilDone(atLeast: 1, retryInterval: .milliseconds(1))
            }
            try await eventually("the line") { log.texts.count == 1 }
            await packer.close()
            try await outcome(of: packing, "the packing")
            #expect(try disk.volumes == [])
        }
    }
}

@Suite("A database that fails under the packing")
struct FailedListTests {
    @Test("A volume that could not be named is removed with the next try, and no row is lost or doubled")
    func unnamed() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await store.insertAccount(.demo)
            try await store.write { database in
                for index in 0..<100 { try SQLiteStore.insert(.refusal(date: at(Double(index))), in: database) }
                try database.execute(
                    sql: """
                        CREATE TRIGGER failing BEFORE INSERT ON attempt_volumes
                        BEGIN SELECT RAISE(ABORT, 'no room'); END
                        """)
            }
            func files() throws -> Set<String> {
                Set(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/attempts"))
            }
            for _ in 1...3 {
                await #expect(throws: StoreError.self) { try await store.packer.pack(atLeast: 1, now: at(100)) }
                #expect(try files().count == 1)
            }
            let left = try files()
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 100)
            try await store.write { try $0.execute(sql: "DROP TRIGGER failing") }
            try await store.packer.pack(atLeast: 1, now: at(100))
            #expect(try files().count == 1)
            #expect(try files().isDisjoint(with: left))
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 100)
            try await store.close()
        }
    }
}

import Basics
import Foundation
import StoreSupport
import Synchronization
import TestSupport
import Testing
import Usher

@testable import Storage

@Suite("Reading the attempt log ahead")
struct AttemptReadAheadTests {
    private typealias Piece = AttemptReadAhead.Piece

    /// What is asked for, in its order.
    private final class Reads: Sendable {
        private let state = Mutex<[Piece]>([])
        var all: [Piece] { state.withLock { $0 } }

        func read(_ path: String, _ range: Range<Int>) {
            state.withLock { $0.append(Piece(file: path, range: range)) }
        }

        func ahead(limit: Int = .max) -> AttemptReadAhead {
            AttemptReadAhead(limit: limit) { self.read($0, $1) }
        }
    }

    /// Parts like those of a file, a part after another, with a text of 100,000 bytes in front.
    private static func parts(_ lengths: [(VolumePart, Int)]) -> [VolumePart: Range<Int>] {
        var start = 100_000
        return lengths.reduce(into: [:]) { parts, part in
            parts[part.0] = start..<(start + part.1)
            start = (start + part.1 + 7) / 8 * 8
        }
    }

    /// In the order of the file.
    private static let some = parts([
        (.v4, 12), (.ranks, 4_000), (.repeats, 8_000), (.nameRows, 5_000), (.nameStarts, 40), (.keys, 9_000),
        (.pairs, 0),
        (.names, 50), (.chunks, 72),
    ])

    @Test("Each part that questions read is read in one stage, and what opening reads and texts are in none")
    func stages() {
        let all = AttemptReadAhead.stages.flatMap(\.self)
        #expect(Set(all) == Set(VolumePart.allCases).subtracting([.names, .chunks]))
        #expect(all.count == Set(all).count)
    }

    @Test("What all counts need is read of all volumes first, then what other questions need, neighbours at once")
    func plan() {
        let plan = AttemptReadAhead.plan([("new", Self.some), ("old", Self.some)], limit: .max)
        func pieces(_ ranges: Range<Int>...) -> [Piece] {
            ["new", "old"].flatMap { file in ranges.map { Piece(file: file, range: $0) } }
        }
        #expect(
            plan == pieces(104_016..<112_016, 117_016..<117_056)
                + pieces(100_000..<104_016, 112_016..<117_016) + pieces(117_056..<126_056))
        // What lies less than a page apart is read at once.
        #expect(
            AttemptReadAhead.plan([("a", [.v4: 0..<8, .v6: 4_100..<4_108, .ranks: 8_204..<8_300])], limit: .max)
                == [Piece(file: "a", range: 0..<4_108), Piece(file: "a", range: 8_204..<8_300)])
    }

    @Test("Not more is read than may be", arguments: [0, 8_000, 8_001, 52_112])
    func limit(bytes: Int) {
        let whole = AttemptReadAhead.plan([("new", Self.some), ("old", Self.some)], limit: .max)
        let plan = AttemptReadAhead.plan([("new", Self.some), ("old", Self.some)], limit: bytes)
        let expected: [Piece] =
            switch bytes {
            case 0: []
            case 8_000: [whole[0]]
            case 8_001: [whole[0], Piece(file: "new", range: 117_016..<117_017)]
            default: whole
            }
        #expect(plan == expected)
    }

    @Test("A large part is read in steps, what was read is not read again, and a new volume is read when there is one")
    func steps() async throws {
        let reads = Reads()
        var ahead = reads.ahead()
        let step = AttemptReadAhead.step
        let large: AttemptReadAhead.Volume = ("large", [.ranks: 8..<(8 + 2 * step + 5)])
        #expect(try await ahead.run([large], folder: "/folder") == 2 * step + 5)
        let steps = [8..<(8 + step), (8 + step)..<(8 + 2 * step), (8 + 2 * step)..<(8 + 2 * step + 5)]
            .map { Piece(file: "/folder/large", range: $0) }
        #expect(reads.all == steps)
        #expect(try await ahead.run([large], folder: "/folder") == 0)
        #expect(try await ahead.run([("new", [.keys: 16..<24]), large], folder: "/folder") == 8)
        #expect(reads.all == steps + [Piece(file: "/folder/new", range: 16..<24)])
        // One that went and is there again was not read.
        #expect(try await ahead.run([("new", [.keys: 16..<24])], folder: "/folder") == 0)
        #expect(try await ahead.run([large], folder: "/folder") == 2 * step + 5)
    }

    @Test("A file that cannot be read is left out, and the others are read")
    func unreadable() async throws {
        let reads = Reads()
        var ahead = AttemptReadAhead(limit: .max) { path, range in
            reads.read(path, range)
            if path == "/folder/gone" { throw StoreError.closed }
        }
        let step = AttemptReadAhead.step
        let bytes = try await ahead.run(
            [("gone", [.keys: 0..<(2 * step)]), ("here", [.keys: 0..<9])], folder: "/folder")
        #expect(bytes == 9)
        #expect(
            reads.all == [Piece(file: "/folder/gone", range: 0..<step), Piece(file: "/folder/here", range: 0..<9)])
    }

    @Test("Who is cancelled in the middle of a part reads no further")
    func cancelled() async throws {
        let reads = Reads()
        let task = Task {
            var ahead = AttemptReadAhead(limit: .max) { path, range in
                reads.read(path, range)
                withUnsafeCurrentTask { $0?.cancel() }
            }
            return try await ahead.run([("a", [.keys: 0..<(3 * AttemptReadAhead.step)])], folder: "/folder")
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(reads.all == [Piece(file: "/folder/a", range: 0..<AttemptReadAhead.step)])
    }

    // MARK: The store

    private static func record(_ count: Int, day: Int, in store: SQLiteStore) async throws {
        try await store.write { database in
            for index in 0..<count {
                let facts = ViewerFacts.sample(
                    key: "key-\(index % 7)", address: "10.0.\(index % 3).\(day)", video: "show\(index % 5)")
                var attempt = Attempt.refusal(facts, date: at(Double(day) * 200_000 + Double(index)))
                attempt.repeats = 1 + index % 4
                try SQLiteStore.insert(attempt, in: database)
            }
        }
    }

    /// A log of as many volumes, a day each; the names of their files.
    private static func fill(_ store: SQLiteStore, days: Range<Int>) async throws {
        for day in days { try await record(60, day: day, in: store) }
        try await store.packAttempts(now: at(Double(days.upperBound) * 200_000))
    }

    private static func volumes(_ store: SQLiteStore) async throws -> [AttemptLog.VolumeRow] {
        try await store.read { try $0.all("SELECT * FROM attempt_volumes").map(AttemptLog.VolumeRow.init) }
    }

    /// Bytes of the parts that are read ahead.
    private static func bytes(_ store: SQLiteStore, _ rows: [AttemptLog.VolumeRow]) throws -> Int {
        let volumes = try rows.map { ($0.file, try AttemptVolume(path: "\(store.log.folder)/\($0.file)").parts) }
        return AttemptReadAhead.plan(volumes, limit: .max).reduce(0) { $0 + $1.range.count }
    }

    @Test("The log is read ahead at once and again when volumes have changed, until whoever had it read is cancelled")
    func store() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await store.insertAccount(.demo)
            try await Self.fill(store, days: 0..<3)
            let first = try await Self.volumes(store)
            #expect(first.count == 3)
            let reports = Mutex<[Int]>([])
            let reading = Task {
                await store.readAttemptsAhead(limit: .max) { bytes in reports.withLock { $0.append(bytes) } }
            }
            try await eventually("the first reading") { reports.withLock { $0.count == 1 } }
            try await Self.fill(store, days: 3..<5)
            try await eventually("the second reading") { reports.withLock { $0.count == 2 } }
            let second = try await Self.volumes(store).filter { !first.contains($0) }
            #expect(second.count == 2)
            #expect(reports.withLock { $0 } == [try Self.bytes(store, first), try Self.bytes(store, second)])
            reading.cancel()
            await reading.value
            try await store.close()
        }
    }

    @Test("What was read ahead is in the system's cache")
    func cached() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await store.insertAccount(.demo)
            try await Self.record(5_000, day: 0, in: store)
            try await store.packAttempts(now: at(0))
            let path = "\(store.log.folder)/\(try await Self.volumes(store).first?.file ?? "")"
            let parts = try AttemptVolume(path: path).parts
            let descriptor = open(path, O_RDONLY)
            defer { close(descriptor) }
            // Some file systems are in memory, and what is asked for here then is nothing to them.
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
            var ahead = AttemptReadAhead(limit: .max)
            _ = try await ahead.run([(URL(fileURLWithPath: path).lastPathComponent, parts)], folder: store.log.folder)
            let file = try #require(try MappedFile(path: path))
            for piece in AttemptReadAhead.plan([("", parts)], limit: .max) {
                let page = MappedFile.pageSize
                let pages = piece.range.lowerBound / page...(piece.range.upperBound - 1) / page
                var residency = [UInt8](repeating: 0, count: pages.count)
                let start = UnsafeMutableRawPointer(mutating: file.bytes.baseAddress)! + pages.lowerBound * page
                #expect(mincore(start, pages.count * page, &residency) == 0)
                #expect(residency.allSatisfy { $0 & 1 == 1 })
            }
            try await store.close()
        }
    }

    // MARK: Volumes that are not in the cache

    @Test(
        "A question that has waited for pages of a volume has the next eight asked side by side, and so on until they are warm"
    )
    func cold() {
        let waited = Mutex(0)
        let asked = Mutex<[Int]>([])
        var cold = ColdVolumes { waited.withLock { $0 } }
        /// - Parameter pages: that a volume asked ahead waits for.
        func reach(_ index: Int, pages: Int) -> [Int] {
            asked.withLock { $0 = [] }
            cold.reach(index, of: 30) { index in
                asked.withLock { $0.append(index) }
                waited.withLock { $0 += pages }
            }
            return asked.withLock { $0.sorted() }
        }
        #expect(reach(0, pages: 0) == [])
        waited.withLock { $0 += ColdVolumes.pages }
        #expect(reach(1, pages: 0) == [])
        waited.withLock { $0 += ColdVolumes.pages + 1 }
        #expect(reach(2, pages: 100) == Array(2..<10))
        for index in 3..<10 { #expect(reach(index, pages: 100) == []) }
        // The last eight were cold.
        #expect(reach(10, pages: 0) == Array(10..<18))
        for index in 11..<18 { #expect(reach(index, pages: 100) == []) }
        #expect(reach(18, pages: 100) == [])
        for index in 19..<27 { #expect(reach(index, pages: 100) == []) }
        waited.withLock { $0 += 100 }
        #expect(reach(27, pages: 0) == [27, 28, 29])
    }

    @Test("A log that is not in the cache gives the answers of one that is")
    func answers() async throws {
        try await withTemporaryFolder { folder in
            let store = try await SQLiteStore.openForTest(folder: folder)
            try await store.insertAccount(.demo)
            try await Self.fill(store, days: 0..<12)
            let rows = try await Self.volumes(store)
            #expect(rows.count == 12)
            let pages = Atomic(0)
            let log = AttemptLog(folder: store.log.folder) { pages.add(100, ordering: .relaxed).newValue }
            let state = try log.takeIn(
                AttemptLog.News(generation: 1, after: rows.map(\.lastID).max() ?? 0, volumes: rows))
            for filter in [
                AttemptFilter(), AttemptFilter(key: "key-3"), AttemptFilter(video: "show2", address: "10.0.1.0/24"),
                AttemptFilter(since: at(1_000_010)), AttemptFilter(beforeID: 300), AttemptFilter(key: "none"),
            ] {
                let question = try #require(
                    AttemptQuestion(accountID: 1, filter: filter, hash: store.attemptHash, end: QuestionEnd()))
                #expect(try await store.countAttempts(accountID: 1, filter: filter) == state.count(question))
                let found = try state.find(question, upTo: .max, limit: 100, offset: 5)
                let listed = try found.rows.flatMap { try $0.volume.attempts($0.rows) }
                #expect(try await store.attempts(accountID: 1, filter: filter, limit: 100, offset: 5) == listed)
            }
            #expect(pages.load(ordering: .relaxed) > 0)
            try await store.close()
        }
    }

    @Test("A hash is found where halving finds it, and none where there is none", arguments: [0, 1, 2, 3, 500, 20_000])
    func hashes(count: Int) {
        var generator = SystemRandomNumberGenerator()
        let even = (0..<count).map { _ in generator.next() as UInt64 }
        // Not what hashes are like, but found all the same.
        let crowded = (0..<count).map { UInt64($0 % 7) << 61 | UInt64($0) } + [0, .max]
        for numbers in [Array(Set(even)).sorted(), Array(Set(crowded)).sorted()] {
            numbers.withUnsafeBytes { bytes in
                let column = VolumeColumn<UInt64>(bytes, offset: 0, length: bytes.count)
                #expect(numbers.enumerated().allSatisfy { column.index(ofHash: $1) == $0 })
                let others = numbers.map { $0 ^ 1 } + (0..<100).map { _ in generator.next() }
                #expect(others.allSatisfy { column.index(ofHash: $0) == column.index(of: $0) })
            }
        }
    }
}

import Basics
import Foundation
import GRDB
import Logging
import Usher

/// The embedded store: one SQLite database in a folder of its own, `<folder>/playhouse.sqlite`.
///
/// Several processes may have it open at once (the server and the command line). Writes are on disk when they return
/// (WAL with `synchronous` FULL), and those that arrive together share a transaction.
public final class SQLiteStore: Store {
    let pool: DatabasePool
    /// Readers for questions about attempts alone, however long those take.
    let reports: DatabasePool
    let places: QuestionPlaces
    let batcher: WriteBatcher
    private let questions: ReadBatcher
    let log: AttemptLog
    let attemptHash: AttemptHash
    let refusals: RefusalLog
    let packer: AttemptPacker

    /// What private keys, destinations of pushes and replies are sealed with.
    let secret: ServerSecret

    private init(folder: String, path: String, logger: Logger?, promises: Promises) throws {
        secret = try ServerSecret.load(folder: folder)
        places = QuestionPlaces(patience: promises.patience)
        let pool = try Self.openPool(path, secret, isDurable: promises.isDurable)
        self.pool = pool
        // Two more than there are places, which the packer has, and who reads ahead.
        reports = try DatabasePool(
            path: path,
            configuration: Self.reading(
                "playhouse reports", readers: QuestionPlaces.count + 2, cache: Sizes.readerCache))
        questions = try ReadBatcher(path: path, Self.reading("playhouse questions", cache: Sizes.questionCache))
        let batcher = WriteBatcher(pool: pool)
        self.batcher = batcher
        let salt = try pool.read { database in
            try Data.fetchOne(database, sql: "SELECT salt FROM attempt_log")
        }
        guard let salt else { throw StoreError.failed("the attempt log has no state") }
        attemptHash = AttemptHash(salt: salt)
        let volumes = URL(fileURLWithPath: folder).appendingPathComponent("attempts").path
        try DataFolder.prepare(volumes)
        log = AttemptLog(folder: volumes)
        let packer = AttemptPacker(
            folder: volumes, hash: attemptHash, reports: reports, batcher: batcher, logger: logger)
        self.packer = packer
        refusals = RefusalLog { rows in
            let ids = try await batcher.run(.refusals) { try SQLiteStore.record(rows.map(\.attempt), in: $0) }
            packer.recorded(rows.count)
            return ids
        }
    }

    /// The database's file name.
    public static let fileName = "playhouse.sqlite"

    /// Whether there is a database in `folder`.
    public static func exists(folder: String) -> Bool {
        FileManager.default.fileExists(atPath: URL(fileURLWithPath: folder).appendingPathComponent(fileName).path)
    }

    /// Opens the database in `folder`, creating both and the server's secret when missing (the folder 0700, the files 0600), and
    /// brings its tables up to date. Throws `StoreError.failed`, also for a database that a newer version wrote.
    ///
    /// - Parameter logger: for what fails while nobody waits for it.
    public static func open(folder: String, logger: Logger? = nil) async throws -> SQLiteStore {
        try await open(folder: folder, logger: logger, promises: Promises())
    }

    /// What callers may rely on. Tests in which neither is the subject wait for no disk, and are not told that a machine with
    /// much else to do is slow.
    package struct Promises: Sendable {
        /// Writes are on disk when they return.
        package var isDurable: Bool
        /// How long a question about attempts may take, the time that it waits included.
        package var patience: Duration

        package init(isDurable: Bool = true, patience: Duration = .seconds(5)) {
            (self.isDurable, self.patience) = (isDurable, patience)
        }
    }

    package static func open(folder: String, logger: Logger?, promises: Promises) async throws -> SQLiteStore {
        try await onThread {
            try DataFolder.prepare(folder)
            let path = URL(fileURLWithPath: folder).appendingPathComponent(fileName).path
            // Processes that start at once take turns, or both would create the same tables.
            return try DataFolder.withLock("\(path).lock") {
                do {
                    return try SQLiteStore(folder: folder, path: path, logger: logger, promises: promises)
                } catch let error as DatabaseError {
                    switch StoreError(error) {
                    case .failed(let reason), .unavailable(let reason): throw StoreError.failed("\(path): \(reason)")
                    default: throw error
                    }
                }
            }
        }
    }

    /// Says that this process is the server of the store in `folder`, until it ends.
    /// - Returns: false when another server is, which works as far as the database goes, but neither knows the other's
    ///   streams.
    public static func claimServer(folder: String) -> Bool {
        DataFolder.claim(URL(fileURLWithPath: folder).appendingPathComponent("server.lock").path)
    }

    /// What the database keeps in memory and beside itself, for each connection. See docs/decisions/0014-storage.md.
    enum Sizes {
        /// KiB of pages in memory. The pages that one transaction of as many admissions as there may be changes (some six each)
        /// fit into it: those that do not are written twice.
        static let writerCache = 16_384
        /// Upper pages of the tables and indexes that the door asks; rows come from the system's cache.
        static let questionCache = 8_192
        /// Commands and reports read little, or everything once.
        static let readerCache = 2_048
        /// Pages in the write-ahead log after which it is written back: few, and a page that many admissions change goes to its
        /// place often; many, and the one who commits then waits long.
        static let checkpointPages = 4_000
        /// Bytes that the write-ahead log's file keeps once it has been written back, however long it had become.
        static let maximumLog = 32 << 20
        /// Bytes that are mapped: none. An error of the disk is an error of the question then, and ends no process.
        static let mapped = 0
    }

    private static func configuration(_ label: String, readers: Int, cache: Int) -> Configuration {
        var configuration = Configuration()
        configuration.label = label
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = readers
        configuration.prepareDatabase { database in
            SQLiteFunctions.add(to: database)
            try database.execute(
                sql: "PRAGMA cache_size = -\(cache); PRAGMA mmap_size = \(Sizes.mapped)")
        }
        return configuration
    }

    private static func openPool(_ path: String, _ secret: ServerSecret, isDurable: Bool) throws -> DatabasePool {
        try DataFolder.prepareFile(path)
        var configuration = configuration("playhouse store", readers: 4, cache: Sizes.readerCache)
        configuration.foreignKeysEnabled = true
        let pool = try DatabasePool(path: path, configuration: configuration)
        try pool.writeWithoutTransaction { database in
            // After opening: the pool itself sets NORMAL, with which a power cut may lose the last commits.
            try database.execute(
                sql: """
                    PRAGMA synchronous = \(isDurable ? "FULL" : "OFF");
                    PRAGMA cache_size = -\(Sizes.writerCache);
                    PRAGMA wal_autocheckpoint = \(Sizes.checkpointPages);
                    PRAGMA journal_size_limit = \(Sizes.maximumLog)
                    """)
        }
        try Migrations.migrate(pool, secret: secret)
        return pool
    }

    private static func reading(_ label: String, readers: Int = 1, cache: Int) -> Configuration {
        var configuration = configuration(label, readers: readers, cache: cache)
        configuration.readonly = true
        return configuration
    }

    /// Whether anything was sealed: without the secret it was sealed with that cannot be read.
    public func holdsSealed() async throws -> Bool {
        try await read { database in
            try database.first(
                """
                SELECT 1 WHERE EXISTS (SELECT 1 FROM api_keys) OR EXISTS (SELECT 1 FROM pushes)
                    OR EXISTS (SELECT 1 FROM stream_users WHERE sealed_challenge_verifier IS NOT NULL)
                    OR EXISTS (SELECT 1 FROM streams WHERE sealed_token_secrets IS NOT NULL)
                """) != nil
        }
    }

    /// How many transactions were committed for how many writes.
    public var writeCounts: (transactions: Int, writes: Int) {
        let statistics = batcher.statistics
        return (statistics.transactions, statistics.writes)
    }

    public func close() async throws {
        await packer.close()
        if !batcher.isClosed { try? await refusals.flush() }
        batcher.close()
        let (pool, reports, questions) = (pool, reports, questions)
        try await Self.onThread {
            // Waits for reads and for the transaction under way; those that still queue behind it come first.
            pool.writeWithoutTransaction { _ in }
            while self.batcher.isBusy { pool.writeWithoutTransaction { _ in } }
            // All of it into the one file, so that a copy of that is a copy of everything. Another process that reads may be
            // in the way: then the last one to close does it. A store that is closed again has no connection.
            try reports.close()
            try questions.close()
            pool.writeWithoutTransaction { database in
                if database.sqliteConnection != nil { _ = try? database.checkpoint(.truncate) }
            }
            try pool.close()
        }
    }

    @discardableResult
    func write<Value: Sendable>(
        _ lane: WriteBatcher.Lane = .commands, _ work: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        try await batcher.run(lane, work)
    }

    func read<Value: Sendable>(_ work: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await Self.read(in: pool, work)
    }

    /// On a reader that only reports use, so that the door never waits for one, and in the account's share of those.
    func report<Value: Sendable>(
        of accountID: AccountID, _ work: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        let reports = reports
        return try await places.run(accountID) { try await Self.read(in: reports, work) }
    }

    private static func read<Value: Sendable>(
        in pool: DatabasePool, _ work: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        do {
            return try await pool.read(work)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw StoreError(error)
        }
    }

    /// A row or two by their index, for those who wait at the door.
    func readBriefly<Value: Sendable>(_ work: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await questions.run(work)
    }

    /// Files that were made in a folder are found there after a power cut.
    static func synchronizeFolder(_ path: String) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        Glibc.close(descriptor)
    }

    /// Blocking work away from the threads that tasks share.
    static func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                do {
                    continuation.resume(returning: try work())
                } catch {
                    continuation.resume(throwing: StoreError(error))
                }
            }
        }
    }
}

/// Functions of ours that queries use.
private enum SQLiteFunctions {
    /// `matches_wildcard(pattern, text)`: tickets and log filters match by the same code.
    static func add(to database: Database) {
        database.add(
            function: DatabaseFunction("matches_wildcard", argumentCount: 2, pure: true) { values in
                guard case .string(let pattern) = values[0].storage, case .string(let text) = values[1].storage else {
                    return false
                }
                return Wildcard(pattern).matches(text)
            })
    }
}

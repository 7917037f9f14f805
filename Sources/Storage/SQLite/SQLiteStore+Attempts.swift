import Basics
import Foundation
import GRDB
import Usher

extension SQLiteStore {
    public func recordRefusal(_ attempt: Attempt, foldingWindow: TimeInterval) {
        refusals.add(attempt, window: foldingWindow)
    }

    public func recordAdmission(_ attempt: Attempt) async throws {
        try await write(.admissions) { try Self.insert(attempt, in: $0) }
        packer.recorded(1)
    }

    /// Each into the row that it names, as long as that is in no volume and on its way into none, else as a row of its own.
    /// - Returns: the ids of the rows.
    static func record(_ refusals: [Attempt], in database: Database) throws -> [Int64] {
        try refusals.map { attempt in
            if attempt.id != 0, try add(attempt.repeats, to: attempt.id, in: database) { return attempt.id }
            return try insert(attempt, in: database)
        }
    }

    private static func add(_ repeats: Int, to id: Int64, in database: Database) throws -> Bool {
        let changed = try database.run(
            """
            UPDATE attempts SET repeats = repeats + ?
            WHERE id = ? AND id > (SELECT max(after, packing) FROM attempt_log)
            """, [repeats, id])
        guard changed > 0 else { return false }
        try database.run("INSERT INTO attempt_folds (attempt, added) VALUES (?, ?)", [id, repeats])
        return true
    }

    /// - Returns: the row's id.
    @discardableResult
    static func insert(_ attempt: Attempt, in database: Database) throws -> Int64 {
        try database.run(
            """
            INSERT INTO attempts (
                cdn, date, key, pass, address, video, app, instance, page_url, referrer_url, is_success, reason,
                server_address, repeats
            ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                attempt.accountID, attempt.date.stored, attempt.key, attempt.pass, normalized(attempt.address),
                attempt.video, attempt.app, attempt.instance, attempt.pageURL, attempt.referrerURL, attempt.isSuccess,
                attempt.reason, attempt.serverAddress, max(1, attempt.repeats),
            ])
        return database.lastInsertedRowID
    }

    public func attempts(accountID: AccountID, filter: AttemptFilter, limit: Int, offset: Int) async throws -> [Attempt]
    {
        guard limit > 0 else { return [] }
        return try await ask(accountID, filter, otherwise: []) { database, lastID, log, question in
            let found = try log.find(question, upTo: lastID, limit: limit, offset: offset)
            var attempts = try found.tail.compactMap { id in
                try database.first("SELECT * FROM attempts WHERE id = ?", [id]).map(Attempt.init)
            }
            for (volume, rows) in found.rows {
                try question.checkEnd()
                attempts += try volume.attempts(rows)
            }
            return attempts
        }
    }

    public func countAttempts(accountID: AccountID, filter: AttemptFilter) async throws -> Int {
        try await ask(accountID, filter, otherwise: 0) { _, _, log, question in try log.count(question) }
    }

    /// Fills an empty log, for benchmarks.
    package func fillAttempts(now: Date, _ next: @escaping @Sendable () -> Attempt?) async throws {
        try await packer.fill(now: now, next)
    }

    /// Packs what has been recorded, however little.
    package func packAttempts(now: Date) async throws {
        try await packer.pack(atLeast: 1, now: now)
    }

    /// Asks the log on a reader that only reports use, in the account's share of those.
    private func ask<Answer: Sendable>(
        _ accountID: AccountID, _ filter: AttemptFilter, otherwise: Answer,
        _ work: @escaping @Sendable (Database, Int64, AttemptLog.State, AttemptQuestion) throws -> Answer
    ) async throws -> Answer {
        // What was refused before the question is asked is counted by it.
        try await refusals.flush()
        let end = QuestionEnd()
        let hash = attemptHash
        guard let question = AttemptQuestion(accountID: accountID, filter: filter, hash: hash, end: end) else {
            return otherwise
        }
        let (log, reports) = (log, reports)
        return try await places.run(accountID) {
            try await withTaskCancellationHandler {
                try await Self.takeIn(log, reports, hash) { database, lastID, state in
                    try question.checkEnd()
                    return try work(database, lastID, state, question)
                }
            } onCancel: {
                end.come()
            }
        }
    }

    /// Reads, in the background, what questions about attempts will read, until it is cancelled: now, and whenever volumes have
    /// changed. For the server; programs that ask once read what they need.
    ///
    /// - Parameters:
    ///   - limit: bytes at most.
    ///   - report: is told after each reading how many bytes were read.
    public func readAttemptsAhead(limit: Int, _ report: @Sendable (_ bytes: Int) -> Void = { _ in }) async {
        var ahead = AttemptReadAhead(limit: limit)
        for await _ in packer.changes where limit > 0 {
            // What fails here fails for whoever asks, who says so.
            let volumes = try? await Self.takeIn(log, reports, attemptHash) { _, _, state in
                state.parts.map { ($0.row.file, $0.volume.parts) }
            }
            if let volumes, let bytes = try? await ahead.run(volumes, folder: log.folder) { report(bytes) }
            if Task.isCancelled { return }
        }
    }

    /// Reads what is new, and does something with all that is known then.
    private static func takeIn<Answer: Sendable>(
        _ log: AttemptLog, _ reports: DatabasePool, _ hash: AttemptHash,
        _ work: @escaping @Sendable (Database, Int64, AttemptLog.State) throws -> Answer
    ) async throws -> Answer {
        var tries = 0
        while true {
            do {
                // Not cancelled while it reads what is new: the next question has that then, whoever reads it.
                return try await withCheckedThrowingContinuation { continuation in
                    reports.asyncRead { opened in
                        continuation.resume(
                            with: Result {
                                let database = try opened.get()
                                var lastID: Int64 = 0
                                let state = try log.takeIn(
                                    news(in: database, since: log.position, hash: hash, last: &lastID))
                                return try work(database, lastID, state)
                            })
                    }
                }
            } catch let error as CancellationError {
                throw error
            } catch let gone as AttemptLog.VolumeGone {
                // Its volume was merged or removed after the list was read; the next reading has the list without it.
                tries += 1
                guard tries < 10 else { throw StoreError.unavailable("\(gone.path) is not there") }
            } catch {
                throw StoreError(error)
            }
        }
    }

    /// - Parameter last: set to the highest id there is.
    private static func news(
        in database: Database, since position: AttemptLog.Position, hash: AttemptHash, last: inout Int64
    ) throws -> AttemptLog.News {
        guard let state = try database.first("SELECT generation, after FROM attempt_log") else {
            throw StoreError.failed("the attempt log has no state")
        }
        var news = AttemptLog.News(generation: try state.integer("generation"), after: try state.integer("after"))
        if news.generation != position.generation {
            news.volumes = try database.all("SELECT * FROM attempt_volumes").map(AttemptLog.VolumeRow.init)
        }
        news.rows = try database.all(
            """
            SELECT id, cdn, date, key, pass, address, video, app, is_success, repeats FROM attempts
            WHERE id > ? ORDER BY id
            """, [max(news.after, position.lastID)]
        ).map { row in
            let account = try row.account("cdn")
            let entry = AttemptEntry(
                id: try row.integer("id"), date: try row.integer("date"), name: 0,
                isSuccess: try row.flag("is_success"), key: hash.of(try row.text("key"), accountID: account),
                pass: hash.of(try row.text("pass"), accountID: account),
                address: Attempt.place(try row.text("address")),
                repeats: try row.int("repeats"))
            return (entry, AttemptName(accountID: account, app: try row.text("app"), video: try row.text("video")))
        }
        last = news.rows.last?.entry.id ?? max(news.after, position.lastID)
        news.folds = try database.all(
            "SELECT id, attempt, added FROM attempt_folds WHERE id > ? ORDER BY id", [position.lastFold]
        ).map { (try $0.integer("id"), try $0.integer("attempt"), try $0.int("added")) }
        return news
    }
}

extension AttemptLog.VolumeRow {
    init(_ row: StoredRow) throws {
        self.init(
            file: try row.text("file"), firstID: try row.integer("first_id"), lastID: try row.integer("last_id"),
            rows: try row.int("rows"), oldest: try row.integer("oldest"), newest: try row.integer("newest"))
    }
}

extension Attempt {
    init(_ row: StoredRow) throws {
        let facts = ViewerFacts(
            key: try row.text("key"), pass: try row.text("pass"), address: try row.text("address"),
            app: try row.text("app"), instance: try row.text("instance"), video: try row.text("video"),
            pageURL: try row.text("page_url"), referrerURL: try row.text("referrer_url"),
            serverAddress: try row.text("server_address"))
        self.init(
            id: try row.integer("id"), accountID: try row.account("cdn"), date: try row.date("date"), facts: facts,
            isSuccess: try row.flag("is_success"), reason: try row.text("reason"), repeats: try row.int("repeats"))
    }

    /// Where an attempt is counted when networks are asked for: its address, or the first of the network that it was folded by.
    static func place(_ address: String) -> IPAddress? {
        IPAddress(address) ?? (address.contains("/") ? IPNetwork(address)?.address : nil)
    }
}

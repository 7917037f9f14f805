import Basics
import Foundation
import GRDB
import Logging
import Synchronization

/// Brings attempts from the database's table into volumes, makes large volumes of small ones, and removes what has been kept long
/// enough. All of it in the background: the write lock is held for some statements at a time.
///
/// What is killed half-way leaves a file that no row of `attempt_volumes` names, and the rows where they were. What fails, for want
/// of room on the disk for example, leaves neither, and is tried again until it succeeds; meanwhile rows stay in the table, where
/// they are counted as well.
final class AttemptPacker: Sendable {
    private struct State {
        /// Rows that were recorded since the table was last looked at. It is looked at with the first, for an earlier process may
        /// have left many.
        var recorded = AttemptPacker.rows / 4
        var work: Task<Void, Never>?
        var isClosed = false
        /// Volumes that cannot be merged with the next.
        var unmergeable: Set<String> = []
        var hasSweptFiles = false
        /// Files that the list of volumes was to name when the database failed.
        var left: [String] = []
        /// Whether the log says that packing fails.
        var isFailing = false
    }

    /// Another process packs as well, and was first.
    private struct PackedElsewhere: Error {}

    private let folder: String
    private let hash: AttemptHash
    private let reports: DatabasePool
    private let batcher: WriteBatcher
    private let logger: Logger?
    private let state = Mutex(State())
    /// Says that the list of volumes may have changed, and so at first. One reads it.
    let changes: AsyncStream<Void>
    private let change: AsyncStream<Void>.Continuation

    /// Rows that make a volume. Fewer stay in the table, and in the memory of those who ask: some 100 bytes each.
    static let rows = 65_536

    /// Until what failed is tried again.
    static let retryInterval = Duration.seconds(30)

    init(folder: String, hash: AttemptHash, reports: DatabasePool, batcher: WriteBatcher, logger: Logger?) {
        self.folder = folder
        self.hash = hash
        self.reports = reports
        self.batcher = batcher
        self.logger = logger
        (changes, change) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        change.yield()
    }

    /// Rows were recorded. Begins to pack when there are enough of them. Returns at once.
    func recorded(_ count: Int) {
        state.withLock { state in
            state.recorded &+= count
            guard state.recorded >= Self.rows / 4, state.work == nil, !state.isClosed else { return }
            state.recorded = 0
            state.work = Task.detached(priority: .background) {
                await self.packUntilDone(atLeast: Self.rows, retryInterval: Self.retryInterval)
                self.state.withLock { $0.work = nil }
            }
        }
    }

    /// Packs, and tries again what fails. The log says once that it does, and once that it does no more.
    func packUntilDone(atLeast minimum: Int, retryInterval: Duration) async {
        while !Task.isCancelled {
            do {
                try await pack(atLeast: minimum, now: Date())
                let wasFailing = state.withLock { state in
                    defer { state.isFailing = false }
                    return state.isFailing
                }
                if wasFailing { logger?.notice("the attempt log is packed again") }
                return
            } catch is PackedElsewhere {
                return
            } catch {
                if Task.isCancelled || state.withLock({ $0.isClosed }) { return }
                let isNew = state.withLock { state in
                    defer { state.isFailing = true }
                    return !state.isFailing
                }
                if isNew {
                    logger?.error(
                        "the attempt log cannot be packed; no attempt is lost, and it is tried again",
                        metadata: ["error": "\(error)"])
                }
            }
            try? await Task.sleep(for: retryInterval)
        }
    }

    /// Returns when nothing is under way any more.
    func close() async {
        let work = state.withLock { state in
            state.isClosed = true
            return state.work
        }
        work?.cancel()
        await work?.value
    }

    private func checkOpen() throws {
        if state.withLock({ $0.isClosed }) { throw StoreError.closed }
    }

    // MARK: Packing

    /// Packs while the table has as many rows.
    func pack(atLeast minimum: Int, now: Date) async throws {
        try await sweepFiles(now: now)
        try await removeLeft()
        while true {
            try checkOpen()
            let (after, last, count) = try await reports.read { database -> (Int64, Int64, Int) in
                let after = try database.first("SELECT after FROM attempt_log")?.integer("after") ?? 0
                let rows = try database.first(
                    """
                    SELECT count(*) AS count, ifnull(max(id), 0) AS last
                    FROM (SELECT id FROM attempts WHERE id > ? ORDER BY id LIMIT ?)
                    """, [after, Self.rows])
                return (after, try rows?.integer("last") ?? 0, try rows?.int("count") ?? 0)
            }
            guard count >= max(1, minimum) else { break }
            // From here on nothing is added to these rows.
            _ = try await batcher.run(.housekeeping) { database in
                try database.run("UPDATE attempt_log SET packing = max(packing, ?)", [last])
            }
            let volumes = try await SQLiteStore.onThread { try self.build(after: after, upTo: last, now: now) }
            try await replace([], with: volumes, after: (old: after, new: last))
            try await removePacked()
        }
        while try await mergeSome(now: now) {}
    }

    /// Rows whose ids are in the range, as volumes of at most the time that one may have.
    private func build(after: Int64, upTo last: Int64, now: Date) throws -> [AttemptLog.VolumeRow] {
        var volumes: [AttemptLog.VolumeRow] = []
        var current: (row: AttemptLog.VolumeRow, writer: AttemptVolumeWriter)?
        func finish() throws {
            guard let done = current else { return }
            try done.writer.finish()
            volumes.append(done.row)
            current = nil
        }
        do {
            var position = after
            while position < last {
                try checkOpen()
                let attempts = try reports.read { [position] database in
                    try database.all(
                        "SELECT * FROM attempts WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
                        [position, last, AttemptChunk.maximumRows]
                    ).map(Attempt.init)
                }
                guard let final = attempts.last else { break }
                position = final.id
                for attempt in attempts {
                    let date = attempt.date.stored
                    if let begun = current,
                        begun.writer.isFull
                            || !Self.mayHold(
                                from: min(begun.row.oldest, date), to: max(begun.row.newest, date), now: now)
                    {
                        try finish()
                    }
                    var volume = try current ?? begin(attempt)
                    current = volume
                    volume.row.lastID = attempt.id
                    volume.row.rows += 1
                    volume.row.oldest = min(volume.row.oldest, date)
                    volume.row.newest = max(volume.row.newest, date)
                    try append(attempt, to: volume.writer)
                    current = volume
                }
            }
            try finish()
        } catch {
            removeFiles(volumes + [current?.row].compactMap { $0 })
            throw error
        }
        return volumes
    }

    private func begin(_ first: Attempt) throws -> (row: AttemptLog.VolumeRow, writer: AttemptVolumeWriter) {
        let file = Self.newFile(from: first.id)
        let date = first.date.stored
        return (
            AttemptLog.VolumeRow(file: file, firstID: first.id, lastID: first.id, rows: 0, oldest: date, newest: date),
            try writer(file)
        )
    }

    private func writer(_ file: String) throws -> AttemptVolumeWriter {
        let path = "\(folder)/\(file)"
        do {
            return try AttemptVolumeWriter(path: path)
        } catch {
            unlink(path)
            throw error
        }
    }

    private static func newFile(from id: Int64) -> String { "\(id)-\(UUID().uuidString.prefix(8)).volume" }

    private func append(_ attempt: Attempt, to writer: AttemptVolumeWriter) throws {
        let place = Attempt.place(attempt.address)
        try writer.append(
            AttemptChunk.Row(
                id: attempt.id, date: attempt.date.stored, key: attempt.key, pass: attempt.pass,
                address: place?.description == attempt.address ? "" : attempt.address, instance: attempt.instance,
                pageURL: attempt.pageURL, referrerURL: attempt.referrerURL, reason: attempt.reason,
                serverAddress: attempt.serverAddress),
            name: AttemptName(accountID: attempt.accountID, app: attempt.app, video: attempt.video),
            isSuccess: attempt.isSuccess, key: hash.of(attempt.key, accountID: attempt.accountID),
            pass: hash.of(attempt.pass, accountID: attempt.accountID), address: place, repeats: attempt.repeats)
    }

    /// One step of the list of volumes: questions see all of it or nothing.
    ///
    /// - Parameter after: rows up to `new` are in volumes from here on, if those up to `old` were so far.
    private func replace(
        _ old: [AttemptLog.VolumeRow], with new: [AttemptLog.VolumeRow], after: (old: Int64, new: Int64)? = nil
    ) async throws {
        SQLiteStore.synchronizeFolder(folder)
        let isDone: Bool
        do {
            isDone = try await batcher.run(.housekeeping) { database in
                if let after {
                    guard
                        try database.run("UPDATE attempt_log SET after = ? WHERE after = ?", [after.new, after.old])
                            == 1
                    else { return false }
                }
                for row in old {
                    guard try database.run("DELETE FROM attempt_volumes WHERE file = ?", [row.file]) == 1 else {
                        throw StoreError.notFound("volume \(row.file)")
                    }
                }
                for row in new {
                    try database.run(
                        "INSERT INTO attempt_volumes (file, first_id, last_id, rows, oldest, newest) VALUES (?, ?, ?, ?, ?, ?)",
                        [row.file, row.firstID, row.lastID, row.rows, row.oldest, row.newest])
                }
                try database.run("UPDATE attempt_log SET generation = generation + 1")
                return true
            }
        } catch {
            // A database that fails cannot be asked what it has kept.
            state.withLock { $0.left += new.map(\.file) }
            throw error
        }
        removeFiles(isDone ? old : new)
        if !isDone { throw PackedElsewhere() }
        change.yield()
    }

    /// Whoever has a file open goes on reading it.
    private func removeFiles(_ rows: [AttemptLog.VolumeRow]) {
        for row in rows { unlink("\(folder)/\(row.file)") }
    }

    /// Removes rows that volumes have, or nobody.
    private func removePacked() async throws {
        try await batcher.runInSteps(
            """
            DELETE FROM attempts WHERE id IN (
                SELECT id FROM attempts WHERE id <= (SELECT after FROM attempt_log) ORDER BY id LIMIT ?
            )
            """)
        try await batcher.runInSteps(
            """
            DELETE FROM attempt_folds WHERE id IN (
                SELECT id FROM attempt_folds WHERE id < (
                    SELECT ifnull(min(id), (SELECT max(id) FROM attempt_folds)) FROM attempt_folds
                    WHERE attempt > (SELECT after FROM attempt_log)
                ) ORDER BY id LIMIT ?
            )
            """)
    }

    /// Removes files of which a database that failed was told. It has to write something first: what it had half written cannot
    /// come back after that.
    private func removeLeft() async throws {
        let left = state.withLock { $0.left }
        guard !left.isEmpty else { return }
        let known = try await batcher.run(.housekeeping) { database in
            try database.run("UPDATE attempt_log SET packing = packing")
            return Set(try database.all("SELECT file FROM attempt_volumes").map { try $0.text("file") })
        }
        for file in left where !known.contains(file) { unlink("\(folder)/\(file)") }
        state.withLock { $0.left.removeAll(where: left.contains) }
    }

    /// Removes files that no volume is, which somebody left who was killed.
    private func sweepFiles(now: Date) async throws {
        guard
            !state.withLock({ state in
                defer { state.hasSweptFiles = true }
                return state.hasSweptFiles
            })
        else { return }
        let known = try await reports.read { database in
            Set(try database.all("SELECT file FROM attempt_volumes").map { try $0.text("file") })
        }
        let files = try? FileManager.default.contentsOfDirectory(atPath: folder)
        for file in files ?? [] where file.hasSuffix(".volume") && !known.contains(file) {
            let path = "\(folder)/\(file)"
            // A younger one may be another process's that is about to name it.
            let date = try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
            if let date, now.timeIntervalSince(date) > 3_600 { unlink(path) }
        }
    }

    /// Makes volumes of attempts that were never in the table, for a log of any size in little time. Nobody else may write.
    ///
    /// - Parameter next: the attempts in the order of their dates, with ids that grow; nil at the end.
    func fill(now: Date, _ next: @escaping @Sendable () -> Attempt?) async throws {
        let volumes = try await SQLiteStore.onThread { () -> [AttemptLog.VolumeRow] in
            var volumes: [AttemptLog.VolumeRow] = []
            var attempt = next()
            while let first = attempt {
                var (row, writer) = try self.begin(first)
                while let current = attempt, row.rows < AttemptColumns.maximumRows, !writer.isFull {
                    row.lastID = current.id
                    row.rows += 1
                    row.newest = max(row.newest, current.date.stored)
                    try self.append(current, to: writer)
                    attempt = next()
                }
                try writer.finish()
                volumes.append(row)
            }
            return volumes
        }
        guard let last = volumes.last?.lastID else { return }
        try await replace([], with: volumes, after: (old: 0, new: last))
        _ = try await batcher.run(.housekeeping) { database in
            try database.run("INSERT INTO sqlite_sequence (name, seq) VALUES ('attempts', ?)", [last])
        }
    }

    // MARK: Merging

    /// Whether rows of such a time may be in one volume: of a day, or of a sixteenth of their age. So what is to be removed by
    /// its age goes not much later, and an old log has few volumes.
    static func mayHold(from oldest: Int64, to newest: Int64, now: Date) -> Bool {
        let day: Int64 = 86_400_000_000
        return newest.subtractingReportingOverflow(oldest).partialValue <= max(day, (now.stored &- oldest) / 16)
    }

    /// The next volumes to make one of, neighbours in the order of ids: eight small ones, or four of those that such were made of.
    static func mergeable(_ volumes: [AttemptLog.VolumeRow], now: Date, except: Set<String> = []) -> [AttemptLog
        .VolumeRow]
    {
        let volumes = volumes.sorted { $0.firstID < $1.firstID }
        let medium = rows * 4
        for (sizes, count) in [(1..<medium, 8), (medium..<(AttemptColumns.maximumRows / 2), 4)] {
            var run: [AttemptLog.VolumeRow] = []
            for volume in volumes {
                let isFitting = sizes.contains(volume.rows) && !except.contains(volume.file)
                let sum = run.reduce(volume.rows) { $0 + $1.rows }
                let oldest = run.reduce(volume.oldest) { min($0, $1.oldest) }
                let newest = run.reduce(volume.newest) { max($0, $1.newest) }
                if isFitting, sum <= AttemptColumns.maximumRows, mayHold(from: oldest, to: newest, now: now) {
                    run.append(volume)
                } else {
                    run = isFitting ? [volume] : []
                }
                if run.count == count { return run }
            }
        }
        return []
    }

    /// - Returns: whether there may be more to merge.
    func mergeSome(now: Date) async throws -> Bool {
        try checkOpen()
        let volumes = try await reports.read {
            try $0.all("SELECT * FROM attempt_volumes").map(AttemptLog.VolumeRow.init)
        }
        let old = Self.mergeable(volumes, now: now, except: state.withLock { $0.unmergeable })
        guard let first = old.first else { return false }
        let merged = try await SQLiteStore.onThread { try self.merged(old) }
        guard let merged else {
            state.withLock { _ = $0.unmergeable.insert(first.file) }
            return true
        }
        try await replace(old, with: [merged])
        return true
    }

    /// nil when their names do not fit into one volume.
    private func merged(_ old: [AttemptLog.VolumeRow]) throws -> AttemptLog.VolumeRow? {
        let volumes = try old.map { try AttemptVolume(path: "\(folder)/\($0.file)") }
        guard Set(volumes.flatMap(\.names)).count < AttemptColumns.maximumNames, var row = old.first else { return nil }
        row.file = Self.newFile(from: row.firstID)
        let writer = try writer(row.file)
        do {
            for volume in volumes {
                try checkOpen()
                try writer.append(volume)
            }
            try writer.finish()
        } catch {
            removeFiles([row])
            throw error
        }
        row.lastID = old.reduce(row.lastID) { max($0, $1.lastID) }
        row.rows = old.reduce(0) { $0 + $1.rows }
        row.oldest = old.reduce(row.oldest) { min($0, $1.oldest) }
        row.newest = old.reduce(row.newest) { max($0, $1.newest) }
        return row
    }

    // MARK: Retention

    /// Removes volumes all of whose rows are older, and rows of the table.
    /// - Returns: how many rows went.
    func remove(before date: Date) async throws -> Int {
        let (volumes, rows) = try await batcher.run(.housekeeping) { database in
            let volumes = try database.all("SELECT * FROM attempt_volumes WHERE newest < ?", [date.stored])
                .map(AttemptLog.VolumeRow.init)
            try database.run("DELETE FROM attempt_volumes WHERE newest < ?", [date.stored])
            // The table's rows up to the first that is to be kept.
            let after = try database.first("SELECT after FROM attempt_log")?.integer("after") ?? 0
            let kept = try database.first(
                "SELECT min(id) AS id FROM (SELECT id FROM attempts WHERE id > ? AND date >= ? ORDER BY id LIMIT 1)",
                [after, date.stored])
            let last = try database.first(
                "SELECT ifnull(max(id), 0) AS id, count(*) AS count FROM attempts WHERE id > ? AND id < ?",
                [after, try kept?.optionalInteger("id") ?? .max])
            let (end, rows) = (try last?.integer("id") ?? 0, try last?.int("count") ?? 0)
            guard rows > 0 || !volumes.isEmpty else { return (volumes, 0) }
            try database.run("UPDATE attempt_log SET after = max(after, ?), generation = generation + 1", [end])
            return (volumes, rows)
        }
        removeFiles(volumes)
        if rows > 0 { try await removePacked() }
        return volumes.reduce(rows) { $0 + $1.rows }
    }
}

import Basics
import Crypto
import Foundation
import GRDB
import Usher

extension SQLiteStore {
    public func recordRefusal(_ attempt: Attempt, foldingWindow: TimeInterval) async throws {
        try await write { try Self.record(attempt, foldingWindow: foldingWindow, in: $0) }
    }

    public func recordAdmission(_ attempt: Attempt) async throws {
        try await write { try Self.insert(attempt, foldingKey: nil, in: $0) }
    }

    /// Only rows that were refusals themselves carry a folding key, so nothing folds into an admitted attempt. A row that
    /// begins in the future (the clock was set back) is not folded into.
    static func record(_ attempt: Attempt, foldingWindow: TimeInterval, in database: Database) throws {
        let foldingKey = foldingKey(attempt)
        let folded = try database.run(
            """
            UPDATE attempts SET repeats = repeats + ?
            WHERE id = (
                SELECT id FROM attempts WHERE folding_key = ? AND date > ? AND date <= ? ORDER BY date DESC LIMIT 1
            )
            """,
            [
                max(1, attempt.repeats), foldingKey, attempt.date.addingTimeInterval(-foldingWindow).stored,
                attempt.date.stored,
            ])
        if folded == 0 { try insert(attempt, foldingKey: foldingKey, in: database) }
    }

    static func insert(_ attempt: Attempt, foldingKey: Int64?, in database: Database) throws {
        let address = IPAddress(attempt.address)
        try database.run(
            """
            INSERT INTO attempts (
                cdn, date, key, pass, address, address_key, video, app, instance, page_url, referrer_url, is_success,
                reason, server_address, repeats, folding_key
            ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                attempt.accountID, attempt.date.stored, attempt.key, attempt.pass,
                address?.description ?? attempt.address,
                address.map { Data($0.sortKey) }, attempt.video, attempt.app, attempt.instance, attempt.pageURL,
                attempt.referrerURL, attempt.isSuccess, attempt.reason, attempt.serverAddress,
                max(1, attempt.repeats), foldingKey,
            ])
    }

    /// 64 bits of a digest over account, ticket, address, stream and reason: an index of one number instead of six texts.
    /// Not the password: guesses at one are what folding is for.
    private static func foldingKey(_ attempt: Attempt) -> Int64 {
        var hash = SHA256()
        for part in [
            attempt.accountID.description, attempt.key, normalized(attempt.address), attempt.app, attempt.video,
            attempt.reason,
        ] {
            hash.update(data: Data("\(part.utf8.count):\(part)".utf8))
        }
        return hash.finalize().prefix(8).reduce(0) { $0 << 8 | Int64($1) }
    }

    public func attempts(accountID: AccountID, filter: AttemptFilter, limit: Int, offset: Int) async throws -> [Attempt]
    {
        try await read { database in
            guard var query = AttemptQuery(accountID: accountID, filter: filter) else { return [] }
            query.arguments += [max(0, limit), max(0, offset)]
            return try database.all(
                "SELECT * FROM attempts WHERE \(query.condition) ORDER BY date DESC, id DESC LIMIT ? OFFSET ?",
                query.arguments
            ).map(Attempt.init)
        }
    }

    public func countAttempts(accountID: AccountID, filter: AttemptFilter) async throws -> Int {
        try await read { database in
            guard let query = AttemptQuery(accountID: accountID, filter: filter) else { return 0 }
            return try database.first(
                "SELECT ifnull(sum(repeats), 0) AS total FROM attempts WHERE \(query.condition)", query.arguments
            )?.int("total") ?? 0
        }
    }
}

/// The condition that an `AttemptFilter` is.
private struct AttemptQuery {
    var condition = "cdn = ?"
    var arguments: StatementArguments

    /// nil when nothing can match: the filter's address is none.
    init?(accountID: AccountID, filter: AttemptFilter) {
        arguments = [accountID]
        func add(_ text: String, _ values: StatementArguments) {
            condition += " AND \(text)"
            arguments += values
        }
        if let key = filter.key { add("key = ?", [key]) }
        if let pass = filter.pass { add("pass = ?", [pass]) }
        for (column, pattern) in [("app", filter.app), ("video", filter.video.map { VideoName.normalized($0) })] {
            guard let pattern else { continue }
            add(
                Wildcard(pattern).hasWildcard ? "matches_wildcard(?, \(column))" : "\(column) = ?", [pattern])
        }
        if let address = filter.address {
            guard let network = IPNetwork(address) else { return nil }
            let (lowest, highest) = network.bounds
            add("address_key BETWEEN ? AND ?", [Data(lowest.sortKey), Data(highest.sortKey)])
        }
        if let isSuccess = filter.isSuccess { add("is_success = ?", [isSuccess]) }
        if let since = filter.since { add("date >= ?", [since.stored]) }
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
}

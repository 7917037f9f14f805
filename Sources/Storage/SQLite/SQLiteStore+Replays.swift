import Foundation
import GRDB

extension SQLiteStore {
    public func beginReplay(digest: String, now: Date, expires: Date) async throws -> ReplayClaim {
        let secret = secret
        return try await write { database in
            // The number of the next change: those that come while the request is carried out count as well.
            let claimed = try database.run(
                """
                INSERT INTO replays (digest, claimed, expires, change)
                VALUES (?1, ?2, ?3, ifnull((SELECT next FROM sequences WHERE name = 'object changes'), 0))
                ON CONFLICT (digest) DO UPDATE SET
                    reply = NULL, objects = '', claimed = excluded.claimed, expires = excluded.expires,
                    change = excluded.change
                WHERE expires <= ?2 OR (reply IS NULL AND claimed <= ?4)
                """,
                [digest, now.stored, expires.stored, now.addingTimeInterval(-ReplayClaim.patience).stored])
            if claimed > 0 { return .new }
            return try Self.known(digest, secret, in: database)
        }
    }

    /// What is known of a request that was claimed before.
    private static func known(_ digest: String, _ secret: ServerSecret, in database: Database) throws -> ReplayClaim {
        guard let row = try database.first("SELECT reply, objects, change FROM replays WHERE digest = ?", [digest]),
            let sealed = try row.optionalText("reply")
        else { return .running }
        let reply = try secret.open(sealed, context: ReplayClaim.sealContext(digest: digest))
        for object in try row.text("objects").split(separator: "\n") {
            let change = try database.first(
                "SELECT 1 FROM object_changes WHERE object = ? AND change >= ? AND digest <> ?",
                [String(object), try row.integer("change"), digest])
            if change != nil { return .outdated }
        }
        return .answered(reply)
    }

    public func once<Value: Sendable>(
        _ request: ReplayRequest, isRevocation: Bool,
        _ work: @escaping @Sendable (any StoreTransaction) throws -> ReplayAnswer<Value>
    ) async throws -> ReplayOutcome<Value> {
        let secret = secret
        return try await write(isRevocation ? .revocations : .commands) { database in
            let isTaken = try database.first(
                "SELECT 1 FROM replays WHERE digest = ?1 AND expires > ?2 AND (reply IS NOT NULL OR claimed > ?3)",
                [
                    request.digest, request.now.stored,
                    request.now.addingTimeInterval(-ReplayClaim.patience).stored,
                ])
            guard isTaken == nil else { return .known(try Self.known(request.digest, secret, in: database)) }
            let answer = try work(SQLiteTransaction(database: database, secret: secret))
            let reply = try secret.seal(
                answer.reply, context: ReplayClaim.sealContext(digest: request.digest))
            // The claim and its reply at once: nobody sees the one without the other.
            try database.run(
                """
                INSERT OR REPLACE INTO replays (digest, claimed, expires, reply, objects, change)
                VALUES (?, ?, ?, ?, ?, ifnull((SELECT next FROM sequences WHERE name = 'object changes'), 0))
                """,
                [
                    request.digest, request.now.stored, request.expires.stored, reply,
                    answer.touch.concerned.joined(separator: "\n"),
                ])
            try Self.recordChanges(answer.touch.changed, by: request.digest, in: database)
            return .carriedOut(answer.value)
        }
    }

    public func transaction<Value: Sendable>(
        isRevocation: Bool, _ work: @escaping @Sendable (any StoreTransaction) throws -> Value
    ) async throws -> Value {
        let secret = secret
        return try await write(isRevocation ? .revocations : .commands) {
            try work(SQLiteTransaction(database: $0, secret: secret))
        }
    }

    public func finishReplay(digest: String, reply: String, touch: ReplayTouch) async throws {
        let reply = try secret.seal(reply, context: ReplayClaim.sealContext(digest: digest))
        try await write { database in
            // A reply once given stays, also when a run that was taken for lost ends after all.
            let finished = try database.run(
                """
                UPDATE replays SET objects = iif(reply IS NULL, ?, objects), reply = ifnull(reply, ?) WHERE digest = ?
                """, [touch.concerned.joined(separator: "\n"), reply, digest])
            guard finished > 0 else { throw StoreError.notFound("claim of a reply") }
            try Self.recordChanges(touch.changed, by: digest, in: database)
        }
    }

    /// Kept for as long as there are replies that may be about the objects.
    static func recordChanges(_ objects: [String], by digest: String, in database: Database) throws {
        guard !objects.isEmpty,
            let expires = try database.first("SELECT max(expires) AS expires FROM replays")?.optionalInt("expires")
        else { return }
        let number = try reserve(name: "object changes", count: 1, startingAt: 0, in: database)
        for object in objects {
            try database.run(
                """
                INSERT INTO object_changes (object, change, digest, expires) VALUES (?, ?, ?, ?)
                ON CONFLICT (object) DO UPDATE SET
                    change = excluded.change, digest = excluded.digest, expires = max(expires, excluded.expires)
                """, [object, number, digest, expires])
        }
    }

    public func abandonReplay(digest: String) async throws {
        try await write { database in
            try database.run("DELETE FROM replays WHERE digest = ? AND reply IS NULL", [digest])
        }
    }
}

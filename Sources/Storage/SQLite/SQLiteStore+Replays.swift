import Foundation
import GRDB

extension SQLiteStore {
    public func beginReplay(digest: String, now: Date, expires: Date) async throws -> ReplayClaim {
        try await write { database in
            let claimed = try database.run(
                """
                INSERT INTO replays (digest, claimed, expires) VALUES (?1, ?2, ?3)
                ON CONFLICT (digest) DO UPDATE SET reply = NULL, claimed = excluded.claimed, expires = excluded.expires
                WHERE expires <= ?2 OR (reply IS NULL AND claimed <= ?4)
                """,
                [digest, now.stored, expires.stored, now.addingTimeInterval(-ReplayClaim.patience).stored])
            if claimed > 0 { return .new }
            let reply = try database.first("SELECT reply FROM replays WHERE digest = ?", [digest])?
                .optionalText("reply")
            return reply.map(ReplayClaim.answered) ?? .running
        }
    }

    public func finishReplay(digest: String, reply: String) async throws {
        try await write { database in
            // A reply once given stays, also when a run that was taken for lost ends after all.
            guard try database.run("UPDATE replays SET reply = ifnull(reply, ?) WHERE digest = ?", [reply, digest]) > 0
            else {
                throw StoreError.notFound("claim of a reply")
            }
        }
    }

    public func abandonReplay(digest: String) async throws {
        try await write { database in
            try database.run("DELETE FROM replays WHERE digest = ? AND reply IS NULL", [digest])
        }
    }
}

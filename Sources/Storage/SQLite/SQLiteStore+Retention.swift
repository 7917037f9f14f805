import Foundation
import GRDB

extension SQLiteStore {
    @discardableResult
    public func removeAttempts(before date: Date) async throws -> Int {
        try await remove(
            "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE date < ? ORDER BY date LIMIT ?)",
            before: date)
    }

    @discardableResult
    public func removeEndedSessions(before date: Date) async throws -> Int {
        try await remove(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE last_seen < ? ORDER BY last_seen LIMIT ?)",
            before: date)
    }

    @discardableResult
    public func removeEvents(before date: Date) async throws -> Int {
        try await remove(
            "DELETE FROM origin_events WHERE id IN (SELECT id FROM origin_events WHERE date < ? ORDER BY date LIMIT ?)",
            before: date)
    }

    /// In steps of 2,000 rows, some milliseconds each, so that viewers at the door never wait for the housekeeping.
    private func remove(_ sql: String, before date: Date) async throws -> Int {
        let step = 2_000
        var total = 0
        while true {
            try Task.checkCancellation()
            let removed = try await write { try $0.run(sql, [date.stored, step]) }
            total += removed
            if removed < step { return total }
        }
    }
}

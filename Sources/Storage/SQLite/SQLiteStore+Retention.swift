import Foundation
import GRDB

extension SQLiteStore {
    @discardableResult
    public func removeAttempts(before date: Date) async throws -> Int {
        try await refusals.flush()
        return try await packer.remove(before: date)
    }

    @discardableResult
    public func removeEndedSessions(before date: Date) async throws -> Int {
        try await remove(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE last_seen < ? ORDER BY last_seen LIMIT ?)",
            before: date)
    }

    @discardableResult
    public func removeTickets(expiredBefore date: Date) async throws -> Int {
        try await remove(
            "DELETE FROM tickets WHERE id IN (SELECT id FROM tickets WHERE expires < ? ORDER BY expires LIMIT ?)",
            before: date)
    }

    @discardableResult
    public func removeEvents(before date: Date) async throws -> Int {
        try await remove(
            "DELETE FROM origin_events WHERE id IN (SELECT id FROM origin_events WHERE date < ? ORDER BY date LIMIT ?)",
            before: date)
    }

    @discardableResult
    public func removeReplays(expiredBefore date: Date) async throws -> Int {
        _ = try await remove(
            """
            DELETE FROM object_changes WHERE object IN (
                SELECT object FROM object_changes WHERE expires < ? ORDER BY expires LIMIT ?)
            """, before: date)
        return try await remove(
            """
            DELETE FROM replays WHERE digest IN (SELECT digest FROM replays WHERE expires < ? ORDER BY expires LIMIT ?)
            """, before: date)
    }

    @discardableResult
    public func removeUsage(before date: Date) async throws -> Int {
        try await batcher.runInSteps(
            """
            DELETE FROM usage_days WHERE (cdn, day, app, stream, instance, delivery, server) IN (
                SELECT cdn, day, app, stream, instance, delivery, server FROM usage_days WHERE day < ?
                ORDER BY day LIMIT ?)
            """, [date.stored / 86_400_000_000])
    }

    @discardableResult
    public func removeViewers(before date: Date) async throws -> Int {
        try await batcher.runInSteps(
            """
            DELETE FROM viewer_minutes WHERE (cdn, app, stream, minute, instance, server) IN (
                SELECT cdn, app, stream, minute, instance, server FROM viewer_minutes WHERE minute < ?
                ORDER BY minute LIMIT ?)
            """, [date.stored / 60_000_000])
    }

    private func remove(_ sql: String, before date: Date) async throws -> Int {
        try await batcher.runInSteps(sql, [date.stored])
    }
}

extension WriteBatcher {
    /// How long one step may hold the write lock, about.
    private static let stepTime = Duration.milliseconds(3)

    /// Runs a statement whose last argument is how many rows it may remove until it removes fewer: in steps of as many rows as go
    /// in `stepTime` on this machine, with a pause as long as the step after each, so that viewers at the door never wait for the
    /// housekeeping.
    /// - Returns: how many rows went.
    @discardableResult
    func runInSteps(_ sql: String, _ arguments: StatementArguments = []) async throws -> Int {
        var step = 32
        var total = 0
        while true {
            try Task.checkCancellation()
            let rows = step
            let (removed, time) = try await run(.housekeeping) { database in
                let begin = ContinuousClock.now
                let removed = try database.run(sql, arguments + [rows])
                return (removed, ContinuousClock.now - begin)
            }
            total += removed
            if removed < rows { return total }
            if time > Self.stepTime {
                step = max(8, rows / 2)
            } else if time < Self.stepTime / 3 {
                step = min(2_048, rows * 2)
            }
            try await Task.sleep(for: time)
        }
    }
}

import Foundation
import GRDB

extension SQLiteStore {
    public func reserveSequence(name: String, count: Int64) async throws -> Int64 {
        try await write { database in
            // A name of the caller's never meets one of the store's own.
            try Self.reserve(name: "given " + name, count: count, startingAt: 0, in: database)
        }
    }

    static func reserve(name: String, count: Int64, startingAt start: Int64, in database: Database) throws -> Int64 {
        let first = try database.first("SELECT next FROM sequences WHERE name = ?", [name])?.integer("next") ?? start
        let (next, overflow) = first.addingReportingOverflow(count)
        guard count > 0, !overflow else { throw StoreError.failed("a sequence cannot give \(count) numbers") }
        try database.run(
            "INSERT INTO sequences (name, next) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET next = excluded.next",
            [name, next])
        return first
    }
}

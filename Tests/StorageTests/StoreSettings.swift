@testable import Storage

extension SQLiteStore {
    /// What the writing connection is set to.
    func settings() async throws -> (synchronous: Int64, journal: String) {
        try await write { database in
            let synchronous = try database.first("PRAGMA synchronous")?.integer("synchronous") ?? -1
            let journal = try database.first("PRAGMA journal_mode")?.text("journal_mode") ?? ""
            return (synchronous, journal)
        }
    }

    func addMigrationFromTheFuture() async throws {
        try await write { try $0.run("INSERT INTO grdb_migrations (identifier) VALUES ('999 from the future')") }
    }
}

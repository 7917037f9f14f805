import Foundation
import Origin
import Settings
import Storage

/// The origin's store, opened beside a server that may be running: SQLite lets several processes in at once.
enum StoreAccess {
    /// Runs `body` and closes the store, whatever happens.
    static func with<Result: Sendable>(
        _ configuration: PlayhouseConfiguration, _ body: (any AccountStore) async throws -> Result
    ) async throws -> Result {
        let folder = configuration.storage.path
        let store: SQLiteStore
        do {
            store = try await SQLiteStore.open(folder: folder)
        } catch {
            throw Failure("storage.path \(folder): \(error)")
        }
        do {
            let result = try await body(store)
            try await store.close()
            return result
        } catch {
            // The first failure is the one to be told.
            try? await store.close()
            throw error
        }
    }

    /// The account of that name, or a sentence that says there is none.
    static func account(named name: String, in store: any AccountStore) async throws -> Account {
        guard let account = try await store.account(user: name) else {
            throw Failure("there is no account \(name)")
        }
        return account
    }
}

import Foundation
import Origin
import Settings
import Storage

/// The origin's store, opened beside a server that may be running: SQLite lets several processes in at once.
enum StoreAccess {
    /// Runs `body` and closes the store, whatever happens.
    /// - Parameter creates: whether a database that is not there is made, and said to be. Otherwise that is a failure: whoever
    ///   looks at an empty database of his own making looks at the wrong place.
    static func with<Result: Sendable>(
        _ configuration: PlayhouseConfiguration, creates: Bool = false,
        _ body: (any Store) async throws -> Result
    ) async throws -> Result {
        let folder = configuration.storage.path
        let store: SQLiteStore
        let isNew = !SQLiteStore.exists(folder: folder)
        guard creates || !isNew || isUnusable(folder) else {
            throw Failure("storage.path \(folder): there is no database; is this the server's configuration?")
        }
        do {
            store = try await SQLiteStore.open(folder: folder)
        } catch {
            throw Failure("storage.path \(folder): \(error)")
        }
        if isNew { Terminal.complain("A new database was made in \(folder).") }
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

    /// Whether something that is no folder stands in the way, which opening it tells better.
    private static func isUnusable(_ folder: String) -> Bool {
        let parent = URL(fileURLWithPath: folder).deletingLastPathComponent().path
        return [folder, parent].contains { path in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
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

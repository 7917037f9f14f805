import Foundation
import Logging
import Storage

extension SQLiteStore {
    /// A store for tests whose subject is not how a store is opened: like `open`, but where there is no database yet, it begins
    /// with a copy of an empty one, whose tables were made once for this process. Nothing waits for the disk, and a question may
    /// take as long as a busy machine makes it take.
    public static func openForTest(folder: String, logger: Logger? = nil) async throws -> SQLiteStore {
        if !exists(folder: folder) {
            let empty = try await emptyDatabase.value
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try empty.write(to: URL(fileURLWithPath: folder).appendingPathComponent(fileName))
        }
        return try await open(
            folder: folder, logger: logger, promises: Promises(isDurable: false, patience: .seconds(3_600)))
    }

    /// The file of a store in which nothing is: closed, a store is one file.
    private static let emptyDatabase = Task {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("playhouse-empty-\(UUID())")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await open(folder: folder.path).close()
        return try Data(contentsOf: folder.appendingPathComponent(fileName))
    }
}

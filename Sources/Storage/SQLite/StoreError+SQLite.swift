import GRDB

extension StoreError {
    /// In the database's words, without the statement and its values.
    init(_ error: any Error) {
        switch error {
        case let error as StoreError:
            self = error
        case let error as DatabaseError where error.resultCode == .SQLITE_MISUSE:
            self = .closed
        case let error as DatabaseError:
            let words = "SQLite \(error.extendedResultCode.rawValue), \(error.message ?? "without a message")"
            self = StoreError.temporary.contains(error.resultCode) ? .unavailable(words) : .failed(words)
        default:
            self = .failed("\(type(of: error))")
        }
    }

    /// What the machine or another process is the cause of, and no statement of ours.
    private static let temporary: [ResultCode] = [
        .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_FULL, .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_NOMEM,
        .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_PROTOCOL,
    ]

    /// Runs `work` and says `what` it is that exists already, when that is why it fails.
    static func duplicate(_ what: String, unlessUnique work: () throws -> Void) throws {
        do {
            try work()
        } catch let error as DatabaseError
            where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE
            || error.extendedResultCode == .SQLITE_CONSTRAINT_PRIMARYKEY
        {
            throw StoreError.duplicate(what)
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_FOREIGNKEY {
            throw StoreError.notFound("what the \(what.prefix { $0 != " " }) belongs to")
        }
    }
}

import GRDB
import Usher

/// Functions of ours that queries use.
enum SQLiteFunctions {
    /// `matches_wildcard(pattern, text)`: tickets and log filters match by the same code.
    static func add(to database: Database) {
        database.add(
            function: DatabaseFunction("matches_wildcard", argumentCount: 2, pure: true) { values in
                guard case .string(let pattern) = values[0].storage, case .string(let text) = values[1].storage else {
                    return false
                }
                return Wildcard(pattern).matches(text)
            })
    }
}

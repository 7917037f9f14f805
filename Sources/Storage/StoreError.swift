/// What a store may fail with.
public enum StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What exists already, such as `account user demo`.
    case duplicate(String)
    case notFound(String)
    case closed
    /// As many writes or questions wait as may; try again later.
    case overloaded
    /// As many questions of the account wait as may; try again later.
    case tooManyQuestions
    /// The database cannot be used now: another process holds it, its disk is full or broken. In its own words.
    case unavailable(String)
    /// The database's own words, with no values of the query in them.
    case failed(String)

    /// Nothing was changed, and the same may succeed later.
    public var isTemporary: Bool {
        switch self {
        case .overloaded, .tooManyQuestions, .unavailable, .closed: true
        case .duplicate, .notFound, .failed: false
        }
    }

    public var description: String {
        switch self {
        case .duplicate(let what): "\(what) exists already"
        case .notFound(let what): "\(what) does not exist"
        case .closed: "the store is closed"
        case .overloaded: "more waits for the store than may"
        case .tooManyQuestions: "too many questions of the account wait for an answer"
        case .unavailable(let reason): "the store cannot be used now: \(reason)"
        case .failed(let reason): "the store failed: \(reason)"
        }
    }
}

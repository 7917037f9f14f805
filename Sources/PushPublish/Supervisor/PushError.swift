import Basics

/// Why a push was not connected.
public enum PushError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The account has no such `push_service_id`.
    case notFound(Int64)
    /// Fields are missing or wrong.
    case invalid(FieldProblems)
    /// It runs already, under this entry name.
    case alreadyConnected(entryName: String)
    /// The account runs as many pushes as it may.
    case tooMany(limit: Int)
    /// The server is shutting down.
    case draining
    /// The stored push could not be read.
    case storeFailed(String)

    public var description: String {
        switch self {
        case .notFound(let id): "push service \(id) does not exist"
        case .invalid(let problems): problems.description
        case .alreadyConnected(let name): "\(name) is connected already"
        case .tooMany(let limit): "no more than \(limit) pushes may run at a time"
        case .draining: "the server is shutting down"
        case .storeFailed(let reason): reason
        }
    }
}

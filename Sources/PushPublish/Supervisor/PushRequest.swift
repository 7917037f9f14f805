import Basics
import Live

/// A push that is not stored: `pushpublish.connect` without a `push_service_id`.
public struct PushRequest: Sendable, Hashable {
    /// The account; the caller has checked that the source's app is its own.
    public var accountID: AccountID
    public var source: StreamAddress
    /// `service_name`.
    public var service: String
    /// The destination, by API field name.
    public var fields: [String: String]
    /// The name wanted for the session; nil: the profile's.
    public var entryName: String?

    public init(
        accountID: AccountID, source: StreamAddress, service: String, fields: [String: String], entryName: String? = nil
    ) {
        self.accountID = accountID
        self.source = source
        self.service = service
        self.fields = fields
        self.entryName = entryName
    }
}

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
    /// The destination's address is one that pushes may not go to.
    case addressNotAllowed(String)
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
        case .addressNotAllowed(let address): "pushes may not go to \(address) (push.allow_private)"
        case .draining: "the server is shutting down"
        case .storeFailed(let reason): reason
        }
    }
}

/// What a session is called on its app and instance.
public enum EntryName {
    /// Stands for all sessions in `pushpublish.disconnect`.
    public static let all = "*"

    /// One to 128 bytes without control characters, and not `*`.
    public static func isValid(_ name: String) -> Bool {
        !name.isEmpty && name != all && name.utf8.count <= 128 && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// The wanted name, or it with `_2`, `_3` … when it is taken.
    static func free(_ wanted: String, taken: Set<String>) -> String {
        guard taken.contains(wanted) else { return wanted }
        // One of them is free: there are more numbers than names taken.
        for number in 2...(taken.count + 2) where !taken.contains("\(wanted)_\(number)") {
            return "\(wanted)_\(number)"
        }
        return "\(wanted)_\(taken.count + 3)"
    }
}

/// What a push session is known by.
public struct PushSessionName: Sendable, Hashable {
    public var app: String
    public var instance: String
    /// One of its kind on the instance.
    public var entryName: String
    /// nil: it was not started from a stored destination.
    public var pushServiceID: Int64?

    public init(app: String, instance: String, entryName: String, pushServiceID: Int64?) {
        self.app = app
        self.instance = instance
        self.entryName = entryName
        self.pushServiceID = pushServiceID
    }

    init(_ definition: PushSession.Definition) {
        self.init(
            app: definition.source.app, instance: definition.source.instance, entryName: definition.entryName,
            pushServiceID: definition.pushServiceID)
    }
}

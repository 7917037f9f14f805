import Basics
import Foundation

/// One row of the origin's event log (`log.origin`): what happened to a stream, and who did it.
public struct OriginEvent: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case publish
        case unpublish
        case push
        case unpush
    }

    public var id: Int64
    public var accountID: AccountID
    public var date: Date
    public var kind: Kind
    public var app: String
    public var instance: String
    public var stream: String
    /// For publish: whether the encoder's credentials were right (also true where none are asked for).
    public var isAuthenticated: Bool
    public var user: String
    public var address: String
    /// Encoder data, push settings without secrets, or an error text under `error`; `repeats` of a refusal when it stands for
    /// several alike.
    public var metadata: [String: String]

    /// Texts longer than `String.maximumKeptBytes` are cut.
    public init(
        id: Int64 = 0, accountID: AccountID, date: Date, kind: Kind, app: String, instance: String, stream: String,
        isAuthenticated: Bool = false, user: String = "", address: String = "", metadata: [String: String] = [:]
    ) {
        self.id = id
        self.accountID = accountID
        self.date = date
        self.kind = kind
        self.app = app.cut()
        self.instance = instance.cut()
        self.stream = stream.cut()
        self.isAuthenticated = isAuthenticated
        self.user = user.cut()
        self.address = address.cut()
        self.metadata = metadata.mapValues { $0.cut() }
    }
}

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

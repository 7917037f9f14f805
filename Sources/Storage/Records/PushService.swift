import Basics
import Foundation

/// A stored push destination (`push_service_id`).
public struct PushService: Sendable, Hashable {
    public var id: Int64
    public var accountID: AccountID
    /// The customer's name for it, first choice for the entry name; may be empty.
    public var name: String
    /// `rtmp`, `youtube`, `akamai` …: `service_name` of the API.
    public var service: String
    /// The source it is for by default; each may be nil and be given at connect time.
    public var app: String?
    public var instance: String?
    public var stream: String?
    /// Connect whenever the source is published.
    public var autopush: Bool
    public var adaptiveGroup: String?
    /// Whether the untranscoded source is pushed as well.
    public var pushSource: Bool
    /// Everything that says where to: `dst_host`, `dst_app`, `dst_stream`, `url` … as given. Holds secrets.
    public var destination: [String: String]
    public var created: Date
    public var updated: Date

    public init(
        id: Int64 = 0, accountID: AccountID, name: String, service: String, app: String? = nil, instance: String? = nil,
        stream: String? = nil, autopush: Bool = false, adaptiveGroup: String? = nil, pushSource: Bool = true,
        destination: [String: String], created: Date, updated: Date
    ) {
        self.id = id
        self.accountID = accountID
        self.name = name
        self.service = service
        self.app = app
        self.instance = instance
        self.stream = stream
        self.autopush = autopush
        self.adaptiveGroup = adaptiveGroup
        self.pushSource = pushSource
        self.destination = destination
        self.created = created
        self.updated = updated
    }
}

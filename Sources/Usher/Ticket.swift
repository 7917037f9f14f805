import Basics
import Foundation

/// A playback ticket: who may watch what, from where, how often and until when.
///
/// The rule fields (`ip`, `app`, `video`) keep the text the customer gave, which replies echo unchanged; matching works
/// on the parsed `AddressRule` and `WildcardList`.
public struct Ticket: Sendable, Hashable, Codable {
    /// Row id in the store; 0 until stored.
    public var id: Int64
    /// The account (CDN id) that owns it.
    public var accountID: AccountID
    /// What the player presents, such as `mystream.53ffc996dd39d5.39102367`.
    public var key: String
    /// Chosen by the customer, kept and logged in clear; may carry a user id.
    public var pass: String
    /// Pipe list of addresses, CIDR blocks, `auto`, `auto/N`.
    public var ip: String
    /// Pipe list of application names with `*` wildcards.
    public var app: String
    /// Pipe list of stream names or VOD paths with `*` wildcards.
    public var video: String
    /// How often playback may start; 0 is unlimited.
    public var uses: Int
    /// How often playback has started.
    public var usedCount: Int
    /// How many sessions may run at a time; 0 is without limit.
    public var maximumSessions: Int
    public var isActive: Bool
    public var created: Date
    public var expires: Date
    public var lastUsed: Date?
    /// Networks claimed so far by the `auto` entries of `ip`, in CIDR form, in the order they were claimed.
    public var claimedNetworks: [String]
    /// Grows with every change, over all tickets of a store: how other nodes learn of revocations.
    public var revision: Int64

    public init(
        id: Int64 = 0, accountID: AccountID, key: String, pass: String, ip: String, app: String, video: String,
        uses: Int,
        usedCount: Int = 0, maximumSessions: Int = 0, isActive: Bool = true, created: Date, expires: Date,
        lastUsed: Date? = nil,
        claimedNetworks: [String] = [], revision: Int64 = 0
    ) {
        self.id = id
        self.accountID = accountID
        self.key = key
        self.pass = pass
        self.ip = ip
        self.app = app
        self.video = video
        self.uses = uses
        self.usedCount = usedCount
        self.maximumSessions = maximumSessions
        self.isActive = isActive
        self.created = created
        self.expires = expires
        self.lastUsed = lastUsed
        self.claimedNetworks = claimedNetworks
        self.revision = revision
    }

    /// What is left of `uses`; nil when unlimited.
    public var remainingUses: Int? {
        uses == 0 ? nil : max(0, uses - usedCount)
    }
}

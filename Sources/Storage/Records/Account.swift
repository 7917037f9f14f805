import Basics
import Foundation

/// A customer of this origin. Everything stored belongs to one.
public struct Account: Sendable, Hashable {
    /// The CDN id of the API (`cdn`).
    public var id: AccountID
    /// The user name; the account's apps are named `<user>-<suffix>`.
    public var user: String
    /// Why it is suspended, in words for the customer; nil when it is in good standing.
    public var suspension: String?
    public var created: Date

    public init(id: AccountID, user: String, suspension: String? = nil, created: Date) {
        self.id = id
        self.user = user
        self.suspension = suspension
        self.created = created
    }

    /// The apps every account has: live, channels, VOD.
    public var apps: [String] {
        ["\(user)-origin", "\(user)-chorigin", "\(user)-vod"]
    }

    /// Whether `app` is one of this account's.
    public func owns(app: String) -> Bool {
        app.utf8.starts(with: "\(user)-".utf8)
    }
}

/// An account there was.
public struct DeletedAccount: Sendable, Hashable {
    public var id: AccountID
    /// Larger than that of every account that was deleted before.
    public var position: Int64

    public init(id: AccountID, position: Int64) {
        self.id = id
        self.position = position
    }
}

/// How much there is that goes with an account when it is deleted.
public struct AccountContents: Sendable, Hashable {
    /// Those that are not revoked.
    public var keys: Int
    /// Streams with settings.
    public var streams: Int
    public var streamUsers: Int
    /// Expired ones included, until they are removed.
    public var tickets: Int
    /// Stored ones.
    public var pushes: Int

    public init(keys: Int = 0, streams: Int = 0, streamUsers: Int = 0, tickets: Int = 0, pushes: Int = 0) {
        self.keys = keys
        self.streams = streams
        self.streamUsers = streamUsers
        self.tickets = tickets
        self.pushes = pushes
    }
}

/// What an API key may do (docs/decisions/0004-keys-and-rights.md).
public enum KeyRights: String, Sendable, Hashable, CaseIterable {
    /// Every command.
    case full
    /// Commands that change nothing.
    case read
    /// Tickets and attempts only: `sevu.request`, `status`, `revoke`, `errorlog`, `errorcount`.
    case tickets
}

/// A public API key and the private key that signs with it.
public struct APIKey: Sendable, Hashable {
    public var id: Int64
    public var accountID: AccountID
    /// `APX` and 29 upper-case letters and digits.
    public var apiKey: String
    /// 64 hexadecimal digits, used as ASCII text. Needed in clear to verify signatures; never logged or returned after creation.
    public var privateKey: String
    public var rights: KeyRights
    public var label: String
    public var created: Date
    public var revoked: Date?

    public init(
        id: Int64 = 0, accountID: AccountID, apiKey: String, privateKey: String, rights: KeyRights, label: String,
        created: Date,
        revoked: Date? = nil
    ) {
        self.id = id
        self.accountID = accountID
        self.apiKey = apiKey
        self.privateKey = privateKey
        self.rights = rights
        self.label = label
        self.created = created
        self.revoked = revoked
    }
}

extension APIKey {
    /// A new pair of keys, not stored yet, from the system's secure source: `APX` and 29 letters and digits (150 bits),
    /// 64 hexadecimal digits (256 bits).
    public static func generate(accountID: AccountID, rights: KeyRights, label: String, now: Date) -> APIKey {
        var generator = SystemRandomNumberGenerator()
        func draw(_ alphabet: String, _ count: Int) -> String {
            String((0..<count).compactMap { _ in alphabet.randomElement(using: &generator) })
        }
        return APIKey(
            accountID: accountID, apiKey: "APX" + draw("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 29),
            privateKey: draw("0123456789abcdef", 64), rights: rights, label: label, created: now)
    }
}

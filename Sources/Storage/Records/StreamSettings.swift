import Basics
import Foundation
import Usher

/// The stored settings of one stream of an account, by app and name. A setting that is nil is inherited: from the stream that
/// a rendition is of, then from the app's `*`, then from the configuration (docs/decisions/0008-protection-inheritance.md).
public struct StreamSettings: Sendable, Hashable {
    /// `stream_id` of the API; 0 until stored.
    public var id: Int64
    public var accountID: AccountID
    public var app: String
    /// The stream's name, or `*` for what the app's streams leave open.
    public var stream: String
    public var protection: Protection?
    /// What tokens are signed with, sealed by `setTokenSecrets`.
    public var sealedTokenSecrets: String?
    /// What goes with these secrets, sealed by `setTokenSalt`; nil: none.
    public var sealedTokenSalt: String?
    /// From where it may be watched, or not: ISO 3166-1 codes and networks. An empty list is one of the stream's own.
    public var allowedCountries: [String]?
    public var deniedCountries: [String]?
    public var allowedNetworks: [IPNetwork]?
    public var deniedNetworks: [IPNetwork]?
    /// Seconds a dropped encoder has to return, 0-1800.
    public var reconnectWindow: Int?
    /// Whether an orderly unpublish ends the stream at once (true) or waits out `reconnectWindow` as well.
    public var endsOnUnpublish: Bool?
    /// Segments listed in the HLS playlist.
    public var playlistCount: Int?
    /// How many segments a playlist may list.
    public static let playlistCounts = 3...120
    public var record: Bool?
    /// `stream` or `event`.
    public var recordType: String?
    /// `disabled`, `schedule`, `duration` or `size`.
    public var segmentType: String?
    public var segmentValue: String?
    public var saveFolder: String?
    public var enableDVR: Bool?
    public var gaKey: String?
    public var created: Date

    public init(
        id: Int64 = 0, accountID: AccountID, app: String, stream: String, protection: Protection? = nil,
        sealedTokenSecrets: String? = nil, sealedTokenSalt: String? = nil,
        allowedCountries: [String]? = nil, deniedCountries: [String]? = nil, allowedNetworks: [IPNetwork]? = nil,
        deniedNetworks: [IPNetwork]? = nil,
        reconnectWindow: Int? = nil, endsOnUnpublish: Bool? = nil, playlistCount: Int? = nil, record: Bool? = nil,
        recordType: String? = nil, segmentType: String? = nil, segmentValue: String? = nil, saveFolder: String? = nil,
        enableDVR: Bool? = nil, gaKey: String? = nil, created: Date
    ) {
        self.id = id
        self.accountID = accountID
        self.app = app
        self.stream = stream
        self.protection = protection
        self.sealedTokenSecrets = sealedTokenSecrets
        self.sealedTokenSalt = sealedTokenSalt
        self.allowedCountries = allowedCountries
        self.deniedCountries = deniedCountries
        self.allowedNetworks = allowedNetworks
        self.deniedNetworks = deniedNetworks
        self.reconnectWindow = reconnectWindow
        self.endsOnUnpublish = endsOnUnpublish
        self.playlistCount = playlistCount
        self.record = record
        self.recordType = recordType
        self.segmentType = segmentType
        self.segmentValue = segmentValue
        self.saveFolder = saveFolder
        self.enableDVR = enableDVR
        self.gaKey = gaKey
        self.created = created
    }
}

extension StreamSettings {
    /// The names whose rows a stream's settings come from, the first to say something wins: its own, the stream that it is a
    /// rendition of, the app's `*`.
    public static func inheritance(of stream: String) -> [String] {
        var names = [stream]
        if let source = VideoName.source(of: stream) { names.append(source) }
        if stream != "*" { names.append("*") }
        return names
    }
}

extension [StreamSettings] {
    /// The lists of countries and networks that are in force; nil when there are none.
    public var placesInForce: PlaceRule? {
        PlaceRule(
            allowedCountries: inForce(\.allowedCountries) ?? [], deniedCountries: inForce(\.deniedCountries) ?? [],
            allowedNetworks: inForce(\.allowedNetworks) ?? [], deniedNetworks: inForce(\.deniedNetworks) ?? [])
    }

    /// The value that is in force, in the rows that a stream's settings come from; nil: the configured one.
    public func inForce<Value>(_ setting: KeyPath<StreamSettings, Value?>) -> Value? {
        for row in self {
            if let value = row[keyPath: setting] { return value }
        }
        return nil
    }
}

/// Somebody who may publish to a stream.
public struct StreamUser: Sendable, Hashable {
    /// `streamuser_id` of the API; 0 until stored.
    public var id: Int64
    /// The settings row of its stream (`stream_id`).
    public var streamID: Int64
    public var accountID: AccountID
    public var app: String
    public var stream: String
    /// nil together with `passwordHash`: publishing needs no credentials, but the stream's name must exist.
    public var user: String?
    /// bcrypt, `$2b$…`.
    public var passwordHash: String?
    /// What verifies Adobe's challenge authentication, sealed with the server's secret key; nil when there is none.
    public var sealedChallengeVerifier: String?
    /// The salt that goes with it.
    public var challengeSalt: String?
    public var created: Date

    public init(
        id: Int64 = 0, streamID: Int64 = 0, accountID: AccountID, app: String, stream: String, user: String?,
        passwordHash: String?,
        sealedChallengeVerifier: String? = nil, challengeSalt: String? = nil, created: Date
    ) {
        self.id = id
        self.streamID = streamID
        self.accountID = accountID
        self.app = app
        self.stream = stream
        self.user = user
        self.passwordHash = passwordHash
        self.sealedChallengeVerifier = sealedChallengeVerifier
        self.challengeSalt = challengeSalt
        self.created = created
    }
}

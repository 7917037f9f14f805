import Basics
import Foundation

/// How viewers are let in to a stream.
public enum Protection: String, Sendable, Hashable, CaseIterable {
    case none
    case sevu
}

/// The stored settings of one stream of an account, by app and name.
public struct StreamSettings: Sendable, Hashable {
    /// `stream_id` of the API; 0 until stored.
    public var id: Int64
    public var accountID: AccountID
    public var app: String
    /// The stream's name, or `*` for every stream of the app without settings of its own.
    public var stream: String
    public var protection: Protection
    /// Seconds a dropped encoder has to return, 0-1800; nil: the configured default.
    public var reconnectWindow: Int?
    /// Whether an orderly unpublish ends the stream at once (true) or waits out `reconnectWindow` as well.
    public var endsOnUnpublish: Bool
    /// Segments listed in the HLS playlist; nil: the configured default.
    public var playlistCount: Int?
    public var record: Bool
    /// `stream` or `event`.
    public var recordType: String?
    /// `disabled`, `schedule`, `duration` or `size`.
    public var segmentType: String?
    public var segmentValue: String?
    public var saveFolder: String?
    public var enableDVR: Bool
    public var gaKey: String?
    public var created: Date

    public init(
        id: Int64 = 0, accountID: AccountID, app: String, stream: String, protection: Protection = .none,
        reconnectWindow: Int? = nil, endsOnUnpublish: Bool = true, playlistCount: Int? = nil, record: Bool = false,
        recordType: String? = nil, segmentType: String? = nil, segmentValue: String? = nil, saveFolder: String? = nil,
        enableDVR: Bool = false, gaKey: String? = nil, created: Date
    ) {
        self.id = id
        self.accountID = accountID
        self.app = app
        self.stream = stream
        self.protection = protection
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

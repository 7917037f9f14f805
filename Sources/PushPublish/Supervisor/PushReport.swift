import Basics
import Foundation
import Live

/// A push session as it stands, for `stream.active`, `stream.details` and the control room. Holds no secrets.
public struct PushReport: Sendable, Hashable {
    public var entryName: String
    /// The account.
    public var accountID: AccountID
    public var source: StreamAddress
    /// `service_name`, such as `youtube`.
    public var service: String
    /// Such as `rtmp`.
    public var profile: String
    public var status: PushStatus
    /// nil for a manual one.
    public var pushServiceID: Int64?
    /// Where to; stream key by its last four characters only.
    public var destination: String
    /// Media bytes sent since the session began, over all connections.
    public var bytesSent: Int64
    /// Video frames left out because the destination was too slow.
    public var droppedFrames: Int
    /// How often it was connected again after it had been.
    public var reconnects: Int
    /// When the session was asked for.
    public var started: Date
    /// Since when it is `Connected`; nil when it is not.
    public var connected: Date?
    /// Why the last connection failed; kept when it recovers, so that a reconnect can be explained.
    public var lastError: String?
    /// When the next connection is due; nil when none is planned.
    public var nextConnection: Date?
    /// The last changes, oldest first.
    public var history: [PushTransition]
}

/// One change in the life of a push session.
public struct PushTransition: Sendable, Hashable {
    public var date: Date
    public var from: PushStatus
    public var to: PushStatus
    /// One sentence without secrets.
    public var reason: String
    /// What went wrong; nil when nothing did.
    public var failure: PushFailure.Code?
    /// Media bytes that earlier connections of the session had sent.
    public var bytesSent: Int64

    /// How many a session keeps.
    public static let kept = 64
}

import Basics
import Foundation
import Usher

/// One row of the attempt log: a session start that was admitted, or a refusal.
public struct Attempt: Sendable, Hashable {
    public var id: Int64
    public var accountID: AccountID
    public var date: Date
    public var key: String
    public var pass: String
    public var address: String
    public var video: String
    public var app: String
    public var instance: String
    public var pageURL: String
    public var referrerURL: String
    public var isSuccess: Bool
    /// Empty for an admitted attempt.
    public var reason: String
    public var serverAddress: String
    /// Refusals alike within ten seconds are folded into one row; this is how many it stands for, and it is counted so.
    public var repeats: Int

    /// Longest text kept of what the viewer sent, in bytes; the rest is cut off.
    public static let maximumTextLength = 1_024

    /// Texts of `facts` longer than `maximumTextLength` are cut.
    public init(
        id: Int64 = 0, accountID: AccountID, date: Date, facts: ViewerFacts, isSuccess: Bool, reason: String,
        repeats: Int = 1
    ) {
        self.id = id
        self.accountID = accountID
        self.date = date
        self.key = (facts.key ?? "").cut(toBytes: Self.maximumTextLength)
        self.pass = (facts.pass ?? "").cut(toBytes: Self.maximumTextLength)
        self.address = facts.address.cut(toBytes: Self.maximumTextLength)
        self.video = facts.video.cut(toBytes: Self.maximumTextLength)
        self.app = facts.app.cut(toBytes: Self.maximumTextLength)
        self.instance = facts.instance.cut(toBytes: Self.maximumTextLength)
        self.pageURL = facts.pageURL.cut(toBytes: Self.maximumTextLength)
        self.referrerURL = facts.referrerURL.cut(toBytes: Self.maximumTextLength)
        self.isSuccess = isSuccess
        self.reason = reason
        self.serverAddress = facts.serverAddress.cut(toBytes: Self.maximumTextLength)
        self.repeats = repeats
    }
}

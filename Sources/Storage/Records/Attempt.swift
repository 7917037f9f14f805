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

    /// Texts of `facts` longer than `String.maximumKeptBytes` are cut.
    public init(
        id: Int64 = 0, accountID: AccountID, date: Date, facts: ViewerFacts, isSuccess: Bool, reason: String,
        repeats: Int = 1
    ) {
        self.id = id
        self.accountID = accountID
        self.date = date
        self.key = (facts.key ?? "").cut()
        self.pass = (facts.pass ?? "").cut()
        self.address = facts.address.cut()
        self.video = facts.video.cut()
        self.app = facts.app.cut()
        self.instance = facts.instance.cut()
        self.pageURL = facts.pageURL.cut()
        self.referrerURL = facts.referrerURL.cut()
        self.isSuccess = isSuccess
        self.reason = reason
        self.serverAddress = facts.serverAddress.cut()
        self.repeats = repeats
    }
}

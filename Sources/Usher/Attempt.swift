import Foundation

/// One row of the attempt log: a session start that was admitted, or a refusal.
public struct Attempt: Sendable, Hashable {
    public var id: Int64
    public var cdn: Int
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

    public init(
        id: Int64 = 0, cdn: Int, date: Date, facts: ViewerFacts, isSuccess: Bool, reason: String, repeats: Int = 1
    ) {
        self.id = id
        self.cdn = cdn
        self.date = date
        self.key = facts.key ?? ""
        self.pass = facts.pass ?? ""
        self.address = facts.address
        self.video = facts.video
        self.app = facts.app
        self.instance = facts.instance
        self.pageURL = facts.pageURL
        self.referrerURL = facts.referrerURL
        self.isSuccess = isSuccess
        self.reason = reason
        self.serverAddress = facts.serverAddress
        self.repeats = repeats
    }
}

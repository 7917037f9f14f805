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
        self.key = Self.cut(facts.key ?? "")
        self.pass = Self.cut(facts.pass ?? "")
        self.address = Self.cut(facts.address)
        self.video = Self.cut(facts.video)
        self.app = Self.cut(facts.app)
        self.instance = Self.cut(facts.instance)
        self.pageURL = Self.cut(facts.pageURL)
        self.referrerURL = Self.cut(facts.referrerURL)
        self.isSuccess = isSuccess
        self.reason = reason
        self.serverAddress = Self.cut(facts.serverAddress)
        self.repeats = repeats
    }

    private static func cut(_ text: String) -> String {
        // A NUL ends text for databases; what follows it would be lost silently.
        let text = text.utf8.contains(0) ? text.replacing("\0", with: "\u{FFFD}") : text
        return text.utf8.count <= maximumTextLength
            ? text : String(decoding: text.utf8.prefix(maximumTextLength), as: UTF8.self)
    }
}

import Basics
import Foundation
import Usher

/// A viewer who asks to be admitted, as the store sees one.
public struct AdmissionRequest: Sendable, Hashable {
    public var facts: ViewerFacts
    /// The account of the stream's app: where the attempt is logged. Another account's ticket is as good as none, whatever
    /// apps it names.
    public var accountID: AccountID
    public var now: Date
    /// The id the server chose for the session that would be opened.
    public var sessionID: String
    /// The id the viewer presents, of a session that the node does not know.
    public var presentedID: String?
    /// Seconds without a request after which an HLS session is over; nil: every admission is a session of its own
    /// (RTMP, SRT: one connection's play).
    public var joinWindow: TimeInterval?
    /// Seconds for which a session counts as running (`Ticket.maximumSessions`) after the store last heard of it. The store hears
    /// late of use, so it is longer than a session's own time-out.
    public var runningWindow: TimeInterval
    /// A refusal joins the row of the same one that began no longer ago than this, in seconds.
    public var foldingWindow: TimeInterval
    /// Whether the viewer would have been admitted a moment ago. Then nobody asks once more before the write that admits.
    public var wasOffered: Bool

    public init(
        facts: ViewerFacts, accountID: AccountID, now: Date, sessionID: String, presentedID: String? = nil,
        joinWindow: TimeInterval?, runningWindow: TimeInterval = 85, foldingWindow: TimeInterval = 10,
        wasOffered: Bool = false
    ) {
        self.facts = facts
        self.accountID = accountID
        self.now = now
        self.sessionID = sessionID
        self.presentedID = presentedID
        self.joinWindow = joinWindow
        self.runningWindow = runningWindow
        self.foldingWindow = foldingWindow
        self.wasOffered = wasOffered
    }
}

/// What an admitted viewer plays under.
public struct AdmittedSession: Sendable, Hashable {
    public var id: String
    /// As it is after the admission.
    public var ticket: Ticket
    /// Whether the session was opened and a use charged. False: a running session of the same ticket, address, app and video
    /// goes on under its own id, and nothing was charged.
    public var isNew: Bool

    public init(id: String, ticket: Ticket, isNew: Bool) {
        self.id = id
        self.ticket = ticket
        self.isNew = isNew
    }
}

/// A session that was used at `date`.
public struct SessionTouch: Sendable, Hashable {
    public var sessionID: String
    public var date: Date

    public init(sessionID: String, date: Date) {
        self.sessionID = sessionID
        self.date = date
    }
}

import Foundation
import Usher

/// What is to be changed of a ticket; what is nil stays.
public struct TicketChange: Sendable, Hashable {
    public var pass: String?
    /// Another rule forgets the networks that the old one's `auto` entries have become.
    public var ip: String?
    public var app: String?
    public var video: String?
    public var uses: Int?
    /// Sessions that run already go on, also when it allows fewer.
    public var maximumSessions: Int?
    public var isActive: Bool?
    public var expires: Date?

    public init(
        pass: String? = nil, ip: String? = nil, app: String? = nil, video: String? = nil, uses: Int? = nil,
        maximumSessions: Int? = nil, isActive: Bool? = nil, expires: Date? = nil
    ) {
        self.pass = pass
        self.ip = ip
        self.app = app
        self.video = video
        self.uses = uses
        self.maximumSessions = maximumSessions
        self.isActive = isActive
        self.expires = expires
    }

    func apply(to ticket: inout Ticket) {
        if let pass { ticket.pass = pass }
        if let ip, ip != ticket.ip {
            ticket.ip = ip
            ticket.claimedNetworks = []
        }
        if let app { ticket.app = app }
        if let video { ticket.video = video }
        if let uses { ticket.uses = uses }
        if let maximumSessions { ticket.maximumSessions = maximumSessions }
        if let isActive { ticket.isActive = isActive }
        if let expires { ticket.expires = expires }
    }
}

/// How a change of a ticket ended.
public enum TicketUpdate: Sendable, Hashable {
    /// The ticket as it is now.
    case changed(Ticket)
    /// The account has none with that key.
    case notFound
    /// Playback has started more often than it would be allowed to. Nothing was changed.
    case usedMoreOften(Int)
}

/// Which tickets are meant; a nil field does not narrow.
public struct TicketFilter: Sendable, Hashable {
    public var pass: String?
    /// `*` wildcards, over the whole text of the ticket's list.
    public var app: String?
    public var video: String?
    public var isActive: Bool?
    /// Expired at this date, or not.
    public var isExpired: Bool?
    public var date: Date

    public init(
        pass: String? = nil, app: String? = nil, video: String? = nil, isActive: Bool? = nil, isExpired: Bool? = nil,
        date: Date
    ) {
        self.pass = pass
        self.app = app
        self.video = video
        self.isActive = isActive
        self.isExpired = isExpired
        self.date = date
    }
}

/// Some of an account's tickets, oldest first.
public struct TicketPage: Sendable, Hashable {
    public var tickets: [Ticket]
    /// Where to go on; nil: these were the last.
    public var next: Int64?

    public init(tickets: [Ticket], next: Int64?) {
        self.tickets = tickets
        self.next = next
    }
}

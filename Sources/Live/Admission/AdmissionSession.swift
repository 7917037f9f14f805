import Foundation
import Storage
import Usher

/// A viewer that was let in with a ticket and is watching.
struct AdmissionSession: Sendable {
    let id: String
    let ticketKey: String
    /// From where it may be used.
    let network: IPNetwork
    let app: String
    let video: String
    /// When its ticket runs out.
    var expires: Date
    var lastSeen: Date
    /// In use since the store was last told so.
    var isTouched = false
    /// Called when a connection's session ends by the ticket; nil for HLS, where the next request is refused.
    let onEnd: (@Sendable (AdmissionEnding) -> Void)?

    init(
        id: String, facts: ViewerFacts, ticket: Ticket, address: IPAddress, now: Date,
        onEnd: (@Sendable (AdmissionEnding) -> Void)?
    ) {
        self.id = id
        ticketKey = ticket.key
        network = TicketDecision.sessionNetwork(for: address, ticket: ticket)
        app = facts.app
        video = facts.video
        expires = ticket.expires
        lastSeen = now
        self.onEnd = onEnd
    }

    /// Whether a request of these facts may ride on it.
    func fits(address: IPAddress, app: String, video: String, now: Date) -> Bool {
        now < expires && self.app == app && VideoName.isSame(video, orFormOf: self.video) && network.contains(address)
    }
}

/// Why a running session was ended.
public enum AdmissionEnding: Sendable, Hashable {
    case revoked
    case expired
}

/// A session that a master playlist offered and nobody has taken up yet.
struct PendingSession: Sendable {
    let key: String
    let pass: String
    let address: IPAddress
    let app: String
    let video: String
    let offered: Date

    func fits(_ facts: ViewerFacts, address: IPAddress) -> Bool {
        address == self.address && facts.app == app && VideoName.isSame(facts.video, orFormOf: video)
    }
}

import Basics
import Foundation

/// May this viewer watch? The one place where tickets are judged, for every protocol. Pure: it reads no clock and
/// stores nothing.
public enum TicketDecision {
    /// Checks in the decided order: key, pass, active, expiry, app, video, address (then the stream's own lists of countries and
    /// networks), uses.
    ///
    /// - Parameters:
    ///   - ticket: what the store holds under `facts.key`; nil when it holds nothing.
    ///   - countsUse: false when nothing would be charged, as for a session that runs already.
    /// - Returns: granted with the network that an `auto` entry of the ticket must become first, in the same step that charges
    ///   the use; with nil when the address is covered already.
    public static func decide(
        ticket: Ticket?, facts: ViewerFacts, now: Date, countsUse: Bool = true
    ) -> Verdict<IPNetwork?> {
        guard let key = facts.key, !key.isEmpty else { return .refused(.missingTicket) }
        guard let ticket, areEqual(ticket.key, key) else { return .refused(.unknownTicket) }
        guard areEqual(ticket.pass, facts.pass ?? "") else { return .refused(.wrongPass) }
        guard ticket.isActive else { return .refused(.revoked) }
        guard now < ticket.expires else { return .refused(.expired) }
        guard admits(app: facts.app, ticket: ticket) else { return .refused(.appNotAllowed) }
        guard admits(video: facts.video, ticket: ticket) else { return .refused(.videoNotAllowed) }
        let claim: IPNetwork?
        switch facts.isAddressHidden ? .denied : match(facts.address, ticket: ticket) {
        case .allowed: claim = nil
        case .claims(_, let network): claim = network
        case .denied: return .refused(.addressNotAllowed)
        }
        guard facts.place != .denied else { return .refused(.countryNotAllowed) }
        guard !countsUse || ticket.uses == 0 || ticket.usedCount < ticket.uses else {
            return .refused(.noUsesRemaining)
        }
        return .granted(claim)
    }

    /// Whether the ticket's `app` list names `app` or its alias.
    static func admits(app: String, ticket: Ticket) -> Bool {
        let list = WildcardList(ticket.app)
        return list.matches(app) || AppName.alias(of: app).map(list.matches) ?? false
    }

    /// Whether the ticket's `video` list names `video`, or the stream it is a rendition of.
    static func admits(video: String, ticket: Ticket) -> Bool {
        let list = WildcardList(videos: ticket.video)
        let name = VideoName.normalized(video)
        return list.matches(name) || VideoName.source(of: name).map(list.matches) ?? false
    }

    /// A rule or an address that cannot be read admits nobody.
    static func match(_ address: String, ticket: Ticket) -> AddressRule.Match {
        guard let address = IPAddress(address), let rule = try? AddressRule(ticket.ip) else { return .denied }
        return rule.match(address, claimed: ticket.claimedNetworks)
    }

    /// Where a session that `address` opened may be used from: the ticket's narrowest network that holds the address,
    /// but no more than its /24 or /64. Within it a viewer may move (a phone between masts); from anywhere else it is
    /// another session, which costs another use, even if the ticket is good for the whole world.
    public static func sessionNetwork(for address: IPAddress, ticket: Ticket) -> IPNetwork {
        let widest = address.family == .v4 ? 24 : 64
        guard let rule = try? AddressRule(ticket.ip),
            let network = rule.coveringNetwork(address, claimed: ticket.claimedNetworks)
        else { return IPNetwork(address) }
        return IPNetwork(address, prefix: max(network.prefix, widest))
    }

    /// Compares every byte of what was presented, so that how long it takes says nothing of the known text.
    static func areEqual(_ known: String, _ presented: String) -> Bool {
        var (known, presented) = (known, presented)
        return known.withUTF8 { known in
            presented.withUTF8 { presented in
                var difference = known.count ^ presented.count
                for index in presented.indices where !known.isEmpty {
                    difference |= Int(known[index % known.count] ^ presented[index])
                }
                return difference == 0
            }
        }
    }
}

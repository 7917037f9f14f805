import Basics
import Foundation
import Storage
import Usher

/// Who may publish and watch a stream, and what says so: for whoever wonders why somebody gets in or does not.
public struct Explanation: Sendable, Hashable {
    /// What decides how viewers are let in.
    public enum Authority: Sendable, Hashable {
        /// A pattern of `usher.protected`.
        case pattern(String)
        /// The settings of this name: the stream's own, those of the stream it is a rendition of, or the app's `*`.
        case settings(String)
        /// `usher.default_protection`.
        case configuration
    }

    /// What a viewer would be told.
    public enum Answer: Sendable, Hashable {
        /// No ticket is asked for.
        case open
        /// - Parameter claim: the network that an `auto` entry of the ticket would become.
        case admitted(Ticket, claim: IPNetwork?)
        /// A session of the ticket runs from that address, which costs no use.
        case joins(Ticket)
        /// By a signed token, until then.
        case signed(until: Date)
        /// By the stream's lists of countries and networks.
        case inPlace
        case refused(RefusalReason)
    }

    /// The account that owns the app.
    public var account: Account?
    /// Who may publish: users of the stream, or of the app's `*` where it has none.
    public var publishers: [StreamUser]
    public var protection: Protection
    public var authority: Authority
    public var answer: Answer
}

extension Admissions {
    /// What is in force for a stream and lets nobody in, in sentences.
    public func warnings(app: String, stream: String, settings: [StreamSettings]) -> [String] {
        let rule = rule(app: app, stream: stream, settings: settings)
        var warnings: [String] = []
        if rule.protection == .hmac, rule.tokens?.secrets.isEmpty ?? true {
            warnings.append(
                rule.tokens == nil
                    ? "no hmac_secrets are set, for the stream or for the app's *, so nobody can watch"
                    : "the hmac_secrets cannot be opened with this server's key file, so nobody can watch; set them again"
            )
        }
        if let places = rule.places {
            if rule.protection == .open {
                warnings.append("protection is none, so the lists of countries and networks are not looked at")
            } else if places.namesCountries, let countries, countries.isLoaded {
                for path in countries.unread {
                    warnings.append(
                        "the country database \(path) could not be read, so whom no other one knows can only watch by allow_networks"
                    )
                }
            } else if places.namesCountries {
                warnings.append(
                    "there is no country database (usher.country_database), so who is in no network of allow_networks cannot watch"
                )
            }
        } else if rule.protection == .geoip {
            warnings.append("no countries or networks are set, for the stream or for the app's *, so nobody can watch")
        }
        return warnings
    }

    /// What would become of a viewer. Nothing is charged, logged or remembered.
    public func explain(_ facts: ViewerFacts) async throws -> Explanation {
        let (app, stream) = (facts.app, facts.video)
        let rows = try await store.streamSettings(app: app, stream: stream)
        let (protection, authority) = protectionInForce(app: app, stream: stream, settings: rows)
        let account = try await store.account(owningApp: app)
        return Explanation(
            account: account, publishers: try await store.publishers(app: app, stream: stream),
            protection: protection, authority: authority,
            answer: protection == .open && account != nil
                ? .open : try await answer(facts, accountID: account?.id ?? 0))
    }

    private func answer(_ facts: ViewerFacts, accountID: AccountID) async throws -> Explanation.Answer {
        let moment = now()
        let rule = try await rule(app: facts.app, stream: facts.video)
        var facts = facts
        facts.place = rule.place(of: facts.address, country: country)
        if let decision = rule.decide(facts, accountID: accountID, now: moment.date) {
            switch decision.verdict {
            case .granted(let grant) where grant.grounds == .place: return .inPlace
            case .granted(let grant): return .signed(until: grant.ticket.expires)
            case .refused(let reason): return .refused(reason)
            }
        }
        let ticket = try await ticket(facts, accountID: accountID)
        let request = request(facts, accountID: accountID, id: "", now: moment.date)
        if let ticket, try await store.sessionToJoin(request) != nil { return .joins(ticket) }
        switch (try await store.preview(request), ticket) {
        case (.granted, let ticket?):
            let decision = TicketDecision.decide(ticket: ticket, facts: facts, now: moment.date)
            return .admitted(ticket, claim: decision.grant ?? nil)
        case (.refused(let reason), _): return .refused(reason)
        case (.granted, nil): return .refused(.unknownTicket)
        }
    }
}

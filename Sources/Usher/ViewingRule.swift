import Basics
import Foundation

/// What a stream asks of its viewers: its own settings and those it inherits, together.
public struct ViewingRule: Sendable, Hashable {
    public var protection: Protection
    /// For `hmac`; nil, or without a secret: nobody is admitted.
    public var tokens: TokenRule?
    /// For `geoip`, where nil admits nobody, and beside `sevu` and `hmac`, where nil is everywhere.
    public var places: PlaceRule?

    public init(protection: Protection, tokens: TokenRule? = nil, places: PlaceRule? = nil) {
        self.protection = protection
        self.tokens = tokens
        self.places = places
    }

    /// What the stream's lists say of an address. Streams that are open have none.
    public func place(of address: String, country: (IPAddress) -> PlaceRule.Country) -> ViewerFacts.Place {
        guard protection != .open else { return .unasked }
        guard let places else { return protection == .geoip ? .denied : .unasked }
        return places.admits(IPAddress(address), country: country) ? .admitted : .denied
    }

    /// By what a viewer was admitted: what a session stands on when the stream's rule changes.
    public enum Grounds: Sendable, Hashable, Codable {
        /// A stored ticket.
        case ticket
        /// A token, signed with the secret of that name.
        case token(signer: String)
        /// The stream's lists of countries and networks alone.
        case place
    }

    /// What a viewer is admitted with where no stored ticket is asked for.
    public struct Grant: Sendable, Hashable {
        /// Says of the session what a stored one would: for whom, for what and until when. It has no limit of uses.
        public var ticket: Ticket
        public var grounds: Grounds
    }

    /// A decision that needed no stored ticket.
    public struct Decision: Sendable, Hashable {
        public var verdict: Verdict<Grant>
        /// The viewer, with what the log calls its key and pass, and without the token.
        public var facts: ViewerFacts
    }

    /// May this viewer watch? Pure, as `TicketDecision`, which judges where this gives nil because a stored ticket is asked for,
    /// or because nothing is.
    ///
    /// Of a token that proved to be signed the log has a digest and the signer's `data`; tokens that are not are alike, so that
    /// guesses fold.
    ///
    /// - Parameter accountID: the account of the stream's app.
    public func decide(_ facts: ViewerFacts, accountID: AccountID, now: Date) -> Decision? {
        switch protection {
        case .open, .sevu: nil
        case .hmac: decideToken(facts, accountID: accountID, now: now)
        case .geoip: decidePlace(facts, accountID: accountID, now: now)
        }
    }

    private func decidePlace(_ facts: ViewerFacts, accountID: AccountID, now: Date) -> Decision {
        var known = facts
        // A name for what the log and sessions call a key.
        (known.key, known.pass, known.token) = (Protection.geoip.rawValue, "", nil)
        guard !facts.isAddressHidden else { return Decision(verdict: .refused(.addressNotAllowed), facts: known) }
        guard facts.place != .denied else { return Decision(verdict: .refused(.countryNotAllowed), facts: known) }
        let ticket = Ticket(
            accountID: accountID, key: known.key ?? "", pass: "", ip: "0.0.0.0/0", app: facts.app, video: facts.video,
            uses: 0, created: now, expires: Self.date(.max))
        return Decision(verdict: .granted(Grant(ticket: ticket, grounds: .place)), facts: known)
    }

    private func decideToken(_ facts: ViewerFacts, accountID: AccountID, now: Date) -> Decision {
        var known = facts
        (known.key, known.pass, known.token) = (nil, nil, nil)
        guard let text = facts.token, !text.isEmpty else {
            return Decision(verdict: .refused(.missingTicket), facts: known)
        }
        guard let (received, secret) = proved(text), let token = try? received.token() else {
            return Decision(verdict: .refused(.invalidToken), facts: known)
        }
        // The session's cookie is another token, and says which one it was made of.
        let digest = received.name == Self.cookieName ? token.sessionID ?? received.digest : received.digest
        known.key = "hmac:\(digest.cut(toBytes: 64))"
        known.pass = (token.payload ?? "").cut()
        do throws(HDNEAToken.Failure) {
            try token.check(path: facts.path, address: facts.address, now: now)
        } catch {
            return Decision(verdict: .refused(.invalidToken), facts: known)
        }
        guard !facts.isAddressHidden else { return Decision(verdict: .refused(.addressNotAllowed), facts: known) }
        guard facts.place != .denied else { return Decision(verdict: .refused(.countryNotAllowed), facts: known) }
        let ticket = Ticket(
            accountID: accountID, key: known.key ?? "", pass: known.pass ?? "", ip: token.address ?? "0.0.0.0/0",
            app: facts.app, video: facts.video, uses: 0, created: now, expires: Self.date(token.expires))
        return Decision(
            verdict: .granted(Grant(ticket: ticket, grounds: .token(signer: tokens?.signer(secret) ?? ""))),
            facts: known)
    }

    /// The token in `text` and the secret that it is signed with; nil when it is with none of the stream's.
    private func proved(_ text: String) -> (ReceivedHDNEAToken, HDNEASecret)? {
        guard let tokens, let received = try? ReceivedHDNEAToken(text),
            let secret = tokens.secrets.first(where: { received.isSigned(with: $0, salt: tokens.salt) })
        else { return nil }
        return (received, secret)
    }

    /// Dates have an end; tokens that are good for longer do not.
    private static func date(_ seconds: Int64?) -> Date {
        Date(timeIntervalSince1970: Double(min(seconds ?? 0, 253_402_300_799)))
    }

    /// Whether a session that was admitted on these grounds may go on under this rule, as far as its place is not the question.
    public func sustains(_ grounds: Grounds) -> Bool {
        switch (protection, grounds) {
        case (.open, _), (.sevu, .ticket), (.geoip, .place): true
        case (.hmac, .token(let signer)):
            tokens.map { tokens in tokens.secrets.contains { tokens.signer($0) == signer } } ?? false
        default: false
        }
    }

    // MARK: The session's cookie

    static let cookieName = "hdntl"

    /// A token for the cookie of a player that keeps cookies, in place of the one it presented: for this stream only, from the
    /// same address and as long.
    ///
    /// - Returns: the cookie's name and value, and when it runs out; nil where the rule asks for no token, or the one presented
    ///   does not admit, or what it says cannot stand in a cookie.
    public func sessionCookie(for facts: ViewerFacts, now: Date) -> (text: String, expires: Date)? {
        guard protection == .hmac, let tokens, let text = facts.token, let (received, secret) = proved(text),
            let token = try? received.token(),
            case .granted(let grant)? = decide(facts, accountID: 0, now: now)?.verdict,
            let slash = facts.path.utf8.lastIndex(of: UInt8(ascii: "/"))
        else { return nil }
        let folder = String(facts.path[...slash])
        let cookie = HDNEAToken(
            address: token.address, expires: token.expires, acl: ["\(folder)*"],
            sessionID: String(grant.ticket.key.dropFirst("hmac:".utf8.count)), payload: token.payload
        ).text(name: Self.cookieName, secret: secret, salt: tokens.salt)
        let isPlain = folder.utf8.allSatisfy { !"~!*".utf8.contains($0) }
        guard isPlain, cookie.utf8.allSatisfy(Self.mayStandInCookie) else { return nil }
        return (cookie, grant.ticket.expires)
    }

    /// RFC 6265 §4.1.1.
    private static func mayStandInCookie(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"\",;\\".utf8.contains(byte)
    }
}

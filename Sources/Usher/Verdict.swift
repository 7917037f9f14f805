/// May this viewer watch? The one answer, whatever the protocol. The decision on a ticket, the transaction that charges a use and
/// the admission to a stream all give it, each with what it has to grant.
public enum Verdict<Grant: Sendable & Hashable>: Sendable, Hashable {
    case granted(Grant)
    case refused(RefusalReason)

    /// nil when refused.
    public var grant: Grant? {
        if case .granted(let grant) = self { grant } else { nil }
    }

    /// The same verdict with another grant.
    public func map<Other>(_ transform: (Grant) throws -> Other) rethrows -> Verdict<Other> {
        switch self {
        case .granted(let grant): .granted(try transform(grant))
        case .refused(let reason): .refused(reason)
        }
    }
}

/// Why a viewer was refused. The texts are what attempt logs hold and clients compare (docs/decisions/0005-tickets.md);
/// viewers themselves see only 403.
public enum RefusalReason: String, Sendable, Hashable, CaseIterable {
    case unknownTicket = "Invalid Auth Token"
    case wrongPass = "Invalid Password"
    case addressNotAllowed = "Invalid IP Address"
    case appNotAllowed = "Invalid Application"
    case videoNotAllowed = "Invalid Video"
    case expired = "Expiration date surpassed"
    case noUsesRemaining = "No Uses Remaining"
    case revoked = "Ticket Revoked"
    case missingTicket = "Missing Ticket"
    case invalidToken = "Invalid HMAC Token"
    case countryNotAllowed = "Country Not Allowed"
}

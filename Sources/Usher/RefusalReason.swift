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

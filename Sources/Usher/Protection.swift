/// How viewers are let in to a stream.
public enum Protection: String, Sendable, Hashable, CaseIterable {
    /// Anybody may watch.
    case open = "none"
    /// With a ticket.
    case sevu
    /// With a token that was signed with one of the stream's secrets.
    case hmac
    /// From where the stream's lists of countries and networks say, without anything else.
    case geoip
}

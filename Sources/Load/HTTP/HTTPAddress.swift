import Basics

/// Where an `http` or `https` address leads: a server, and a path on it with its query.
public struct HTTPAddress: Sendable, Hashable {
    public var isTLS: Bool
    /// A name or an address, IPv6 without its brackets.
    public var host: String
    public var port: Int
    /// From the first slash on, with the query.
    public var path: String

    /// - Returns: nil for what is no `http` or `https` address.
    public init?(_ text: String) {
        guard let scheme = text.range(of: "://") else { return nil }
        switch text[..<scheme.lowerBound].lowercased() {
        case "http": isTLS = false
        case "https": isTLS = true
        default: return nil
        }
        let rest = text[scheme.upperBound...].prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        path = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/\(rest[end...])"
        // Nothing that would end the request's line may stand in it.
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        var authority = rest[..<end]
        guard !authority.contains("@") else { return nil }
        port = isTLS ? 443 : 80
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else { return nil }
            port = Int(number)
            authority = authority[..<colon]
        }
        if authority.hasPrefix("["), authority.hasSuffix("]") { authority = authority.dropFirst().dropLast() }
        guard !authority.isEmpty, authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        host = String(authority)
    }

    /// What the `Host` field says.
    var authority: String {
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The path of a reference that stands in the document at this path (RFC 3986 §5.2, without dot segments).
    /// - Returns: nil when it leads to another server, or nowhere.
    func path(of reference: String) -> String? {
        guard reference.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        if reference.hasPrefix("//") { return nil }
        if reference.hasPrefix("/") { return reference }
        if reference.contains("://"), let other = HTTPAddress(reference) {
            return other.authority == authority && other.isTLS == isTLS ? other.path : nil
        }
        let document = path.prefix { $0 != "?" }
        guard let slash = document.lastIndex(of: "/") else { return "/\(reference)" }
        return document[...slash] + reference
    }

    /// With more in its query.
    func adding(query: String?) -> HTTPAddress {
        guard let query, !query.isEmpty else { return self }
        var address = self
        address.path += (path.contains("?") ? "&" : "?") + query
        return address
    }
}

extension HLSPlayer.Reload {
    /// What stands in the query of a reload (RFC 8216bis §6.2.5), in the order of the names.
    var query: String? {
        guard let sequence else { return nil }
        let part = part.map { "&_HLS_part=\($0)" } ?? ""
        return "_HLS_msn=\(sequence)\(part)\(skips ? "&_HLS_skip=YES" : "")"
    }
}

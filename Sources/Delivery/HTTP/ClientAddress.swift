import Basics
import HTTPTypes

/// Who a viewer is, seen through proxies.
public enum ClientAddress {
    /// The connection's peer, or, if that is a trusted proxy, the last address in `X-Forwarded-For` that is not one:
    /// what stands further left anybody can have written.
    ///
    /// - Parameters:
    ///   - peer: nil for a socket without an address.
    ///   - forwardedFor: the values of all `X-Forwarded-For` fields, in order.
    /// - Returns: nil when the peer has no address. An unreadable entry ends the search: the proxy that passed it on is
    ///   the last one known.
    public static func resolve(peer: IPAddress?, forwardedFor: [String], trusted: [IPNetwork]) -> IPAddress? {
        guard var client = peer, !trusted.isEmpty else { return peer }
        func isTrusted(_ address: IPAddress) -> Bool {
            trusted.contains { $0.contains(address) }
        }
        guard isTrusted(client) else { return client }
        var remaining = maximumEntries
        for field in forwardedFor.reversed() {
            for entry in field.split(separator: ",", omittingEmptySubsequences: false).reversed() {
                remaining -= 1
                guard remaining > 0, let address = parse(entry.trimmed) else { return client }
                client = address
                if !isTrusted(address) { return client }
            }
        }
        return client
    }

    /// A chain of proxies is short; a long list is somebody's nonsense.
    private static let maximumEntries = 64

    /// An address, with port and brackets as some proxies write them.
    private static func parse(_ text: Substring) -> IPAddress? {
        if let address = IPAddress(text) { return address }
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            return IPAddress(text[text.index(after: text.startIndex)..<end])
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 ? IPAddress(parts[0]) : nil
    }
}

extension HTTPField.Name {
    /// `X-Forwarded-For`, which proxies write (RFC 7239 describes what it does and would replace it).
    public static var xForwardedFor: HTTPField.Name { xForwardedForName }
}

// A token by RFC 9110 §5.6.2, so the initializer never fails; a test holds that. Without a force unwrap something has to stand
// in: the name of a field that no client sends.
private let xForwardedForName = HTTPField.Name("X-Forwarded-For") ?? .proxyAuthenticationInfo

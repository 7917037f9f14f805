import Basics

/// `rtmp[s]://[user[:password]@]host[:port]/app[/instance]/stream[?query]`.
///
/// The path is split as ffmpeg and OBS split it: the last component with the query is the stream, and the components before
/// it are the application. But a component that has a `:` begins a stream name that has slashes (`…/app/mp4:folder/file`).
public struct RTMPURL: Sendable, Hashable {
    public var isTLS: Bool
    public var user: String?
    public var password: String?
    /// A name or an address, IPv6 without its brackets.
    public var host: String
    /// The port in the URL; nil when the URL has none and the scheme's own is meant.
    public var explicitPort: Int?
    /// `app` or `app/instance`, not percent-decoded. Empty when the path is empty.
    public var app: String
    /// The stream's name with its query, not percent-decoded. Empty when the path has one component only or ends with `/`.
    public var stream: String

    public var port: Int {
        explicitPort ?? (isTLS ? RTMP.defaultTLSPort : RTMP.defaultPort)
    }

    /// What `connect` sends as `tcUrl`: the scheme, the host and the application, and the port if the URL has one. The user,
    /// the password and the stream are left out.
    public var tcURL: String {
        let host = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        let port = explicitPort.map { ":\($0)" } ?? ""
        return "\(isTLS ? "rtmps" : "rtmp")://\(host)\(port)/\(app)"
    }

    /// - Throws: `invalidURL`. Its message names the part that is wrong and never holds the password.
    public init(_ text: String) throws(RTMPError) {
        guard let (scheme, afterScheme) = RTMPURL.cut(text[...], at: "://") else {
            throw RTMPError(.invalidURL, "An RTMP URL begins with rtmp:// or rtmps://.")
        }
        switch scheme.lowercased() {
        case "rtmp": isTLS = false
        case "rtmps": isTLS = true
        default: throw RTMPError(.invalidURL, "The scheme is not rtmp or rtmps.")
        }
        let slash = afterScheme.firstIndex(of: "/") ?? afterScheme.endIndex
        var authority = afterScheme[..<slash]
        user = nil
        password = nil
        if let at = authority.lastIndex(of: "@") {
            let login = authority[..<at]
            authority = authority[authority.index(after: at)...]
            let (name, secret) = RTMPURL.cut(login, at: ":") ?? (login, nil)
            user = PercentCoding.lenientText(of: name.utf8)
            password = secret.map { PercentCoding.lenientText(of: $0.utf8) }
        }
        (host, explicitPort) = try RTMPURL.hostAndPort(authority)
        (app, stream) = RTMPURL.appAndStream(afterScheme[slash...])
    }

    private static func hostAndPort(_ text: Substring) throws(RTMPError) -> (String, Int?) {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else {
                throw RTMPError(.invalidURL, "The address's bracket is not closed.")
            }
            host = text[text.index(after: text.startIndex)..<close]
            let rest = text[text.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw RTMPError(.invalidURL, "Only a port may follow the address.")
            }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { throw RTMPError(.invalidURL, "The host is missing.") }
        guard let port, !port.isEmpty else { return (String(host), nil) }
        guard let number = UInt16(port), number > 0 else {
            throw RTMPError(.invalidURL, "The port is not a number from 1 to 65535.")
        }
        return (String(host), Int(number))
    }

    private static func appAndStream(_ path: Substring) -> (String, String) {
        let (path, query) = RTMPParameters.split(String(path))
        let components = path.split(separator: "/", omittingEmptySubsequences: false).drop { $0.isEmpty }
        let suffix = query.map { "?" + $0 } ?? ""
        guard components.count > 1 else {
            return (String(components.first ?? "") + suffix, "")
        }
        // The first component is always the application's.
        let first = components.index(after: components.startIndex)
        let split =
            components[first...].firstIndex { $0.utf8.contains(UInt8(ascii: ":")) }
            ?? components.index(before: components.endIndex)
        return (
            components[..<split].joined(separator: "/"), components[split...].joined(separator: "/") + suffix
        )
    }

    private static func cut(_ text: Substring, at separator: String) -> (Substring, Substring)? {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].hasPrefix(separator) {
                return (text[..<index], text[index...].dropFirst(separator.count))
            }
            index = text.index(after: index)
        }
        return nil
    }
}

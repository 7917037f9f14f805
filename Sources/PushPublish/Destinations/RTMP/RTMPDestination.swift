import RTMP

/// An application and a stream on somebody's RTMP server.
public struct RTMPDestination: PushDestination, Hashable {
    public var isTLS: Bool
    /// A name or an address, IPv6 without brackets.
    public var host: String
    public var port: Int
    /// `app` or `app/instance`, perhaps with a query.
    public var app: String
    /// The stream's name or key, perhaps with a query.
    public var stream: String
    public var user: String?
    public var password: String?

    private var scheme: String { isTLS ? "rtmps" : "rtmp" }

    private var authority: String {
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isTLS ? RTMP.defaultTLSPort : RTMP.defaultPort) ? name : "\(name):\(port)"
    }

    /// What `connect` says as `tcUrl`.
    public var tcURL: String { "\(scheme)://\(authority)/\(app)" }

    public var summary: String {
        "\(scheme)://\(authority)/\(RTMPDestination.withoutQuery(app))/\(Secret.masked(stream))"
    }

    public var secrets: [String] {
        var secrets = [stream]
        let (name, query) = RTMPDestination.split(stream)
        if query != nil { secrets.append(name) }
        for text in [stream, app] {
            secrets += RTMPParameters(query: RTMPDestination.split(text).query ?? "").members.map(\.value)
        }
        if let password { secrets.append(password) }
        return secrets.filter { !$0.isEmpty }
    }

    public var identity: String { "\(scheme)://\(authority)/\(app)/\(stream)" }

    public func makeConnection(_ context: PushConnectionContext) -> any PushConnection {
        RTMPPushConnection(self, context: context)
    }

    static func withoutQuery(_ text: String) -> String {
        let (path, query) = split(text)
        return query == nil ? path : path + "?****"
    }

    /// A URL as it may be shown; the whole of it hidden when it cannot be read.
    static func masked(url text: String, hasStream: Bool) -> String {
        guard let url = try? RTMPURL(text) else { return Secret.masked(text) }
        let scheme = url.isTLS ? "rtmps" : "rtmp"
        let login = (url.user.map { $0 + (url.password == nil ? "" : ":****") + "@" }) ?? ""
        let name = url.host.utf8.contains(UInt8(ascii: ":")) ? "[\(url.host)]" : url.host
        let port = url.explicitPort.map { ":\($0)" } ?? ""
        // With `dst_stream` beside it the URL's path is the application alone.
        let stream = hasStream ? withoutQuery(url.stream) : Secret.masked(url.stream)
        return "\(scheme)://\(login)\(name)\(port)/\(withoutQuery(url.app))/\(stream)"
    }

    private static func split(_ text: String) -> (path: String, query: String?) {
        guard let mark = text.firstIndex(of: "?") else { return (text, nil) }
        return (String(text[..<mark]), String(text[text.index(after: mark)...]))
    }
}

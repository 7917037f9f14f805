import Basics
import RTMP

/// RTMP and RTMPS, and the platforms that take them: presets that fill in what the customer would have to look up.
public struct RTMPKind: DestinationKind {
    /// RTMP itself, and the presets over it. Whatever a preset fills in, a field or `url` overrides.
    public static let all: [any DestinationKind] = [
        RTMPKind("rtmp"),
        RTMPKind("rtmps", isTLS: true, isSchemeFree: false),
        RTMPKind("youtube", host: "a.rtmp.youtube.com", app: "live2"),
        RTMPKind("facebook", isTLS: true, host: "live-api-s.facebook.com", port: 443, app: "rtmp"),
        RTMPKind("twitch", host: "live.twitch.tv", app: "app"),
        // Kick's ingest host is shown in the creator's dashboard.
        RTMPKind("kick", isTLS: true, port: 443, app: "app"),
        RTMPKind("instagram", isTLS: true, host: "live-upload.instagram.com", port: 443, app: "rtmp"),
        // TikTok gives host and application with every broadcast.
        RTMPKind("tiktok"),
        // One host a region; port and application are everywhere the same.
        RTMPKind("periscope", port: 80, app: "x"),
    ]

    public let service: String
    public let profile = "rtmp"
    /// TLS unless a `url` says otherwise.
    private let isTLS: Bool
    /// Whether a `url` may say otherwise.
    private let isSchemeFree: Bool
    private let defaultPort: Int?

    private let url = DestinationField(
        "url", maximumBytes: 2_048,
        display: .rule { RTMPDestination.masked(url: $0, hasStream: $1["dst_stream"] != nil) },
        text: "The destination in one: `rtmp://host[:port]/app/stream`; or else:")
    private let host: DestinationField
    private let port: DestinationField
    private let app: DestinationField
    private let instance = DestinationField(
        "dst_inst", display: .rule { value, _ in RTMPDestination.withoutQuery(value) }, text: "instance,")
    private let stream = DestinationField("dst_stream", maximumBytes: 1_024, text: "stream name or key,").required()
    private let user = DestinationField(
        "dst_user", aliases: ["username"], maximumBytes: 256, display: .whole, text: "and user name")
    private let password = DestinationField(
        "dst_pass", aliases: ["password"], maximumBytes: 1_024,
        text: "with password, where the destination asks for a login.")

    public var fields: [DestinationField] { [url, host, port, app, instance, stream, user, password] }

    private init(
        _ service: String, isTLS: Bool = false, isSchemeFree: Bool = true, host: String? = nil, port: Int? = nil,
        app: String? = nil
    ) {
        self.service = service
        self.isTLS = isTLS
        self.isSchemeFree = isSchemeFree
        self.defaultPort = port
        self.host = DestinationField(
            "dst_host", maximumBytes: 255, display: .whole, text: "host (presets have their own),"
        ).required(default: host)
        self.port = DestinationField("dst_port", maximumBytes: 5, display: .whole, text: "port,")
            .required(default: String(port ?? (isTLS ? RTMP.defaultTLSPort : RTMP.defaultPort)))
        self.app = DestinationField(
            "dst_app", display: .rule { value, _ in RTMPDestination.withoutQuery(value) }, text: "application,"
        ).required(default: app)
    }

    public func destination(from values: [String: String]) throws(FieldProblems) -> any PushDestination {
        var reader = DestinationFieldReader(values)
        let parts = reader.has(url) ? fromURL(&reader) : fromFields(&reader)
        let user = reader.text(user)
        let password = reader.text(password)
        if password != nil, user == nil, parts?.user == nil {
            reader.missing(self.user)
        }
        guard reader.problems.isEmpty, var destination = parts else {
            throw FieldProblems(reader.problems)
        }
        if let user { destination.user = user }
        if let password { destination.password = password }
        return destination
    }

    private func fromFields(_ reader: inout DestinationFieldReader) -> RTMPDestination? {
        let host = reader.host(host)
        let port = reader.port(port)
        let app = reader.path(app)
        let instance = reader.path(instance)
        let stream = reader.text(stream)
        guard let host, let port, let app, let stream else { return nil }
        return RTMPDestination(
            isTLS: isTLS, host: host, port: port, app: instance.map { "\(app)/\($0)" } ?? app, stream: stream)
    }

    private func fromURL(_ reader: inout DestinationFieldReader) -> RTMPDestination? {
        for field in [host, port, app, instance] where reader.has(field) {
            reader.invalid(field, "must not be given together with url")
        }
        guard let text = reader.text(url) else { return nil }
        let address: RTMPURL
        do throws(RTMPError) {
            address = try RTMPURL(text)
        } catch {
            reader.invalid(url, "must be rtmp[s]://host[:port]/app/stream: \(error.message)")
            return nil
        }
        guard isSchemeFree || address.isTLS == isTLS else {
            reader.invalid(url, "must begin with \(isTLS ? "rtmps" : "rtmp")://")
            return nil
        }
        guard DestinationFieldReader.isHost(address.host) else {
            reader.invalid(url, "must hold a host name or an address")
            return nil
        }
        var appPath = address.app
        var name = address.stream
        if reader.has(stream), let given = reader.text(stream) {
            // Then the URL is what platforms show as the server, and its whole path is the application.
            if !name.isEmpty { appPath += "/" + name }
            name = given
        }
        if appPath.isEmpty { appPath = app.defaultValue ?? "" }
        guard !appPath.isEmpty else {
            reader.invalid(url, "must name the application: rtmp[s]://host[:port]/app/stream")
            return nil
        }
        guard !name.isEmpty else {
            if !reader.has(stream) { reader.missing(stream) }
            return nil
        }
        return RTMPDestination(
            isTLS: address.isTLS, host: address.host, port: address.explicitPort ?? port(isTLS: address.isTLS),
            app: appPath, stream: name, user: address.user, password: address.password)
    }

    private func port(isTLS: Bool) -> Int {
        if let defaultPort, isTLS == self.isTLS { return defaultPort }
        return isTLS ? RTMP.defaultTLSPort : RTMP.defaultPort
    }
}

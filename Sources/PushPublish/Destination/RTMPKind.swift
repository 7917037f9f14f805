import Basics
import RTMP
import Usher

/// RTMP and RTMPS, and the platforms that take them: presets that fill in what the customer would have to look up.
public struct RTMPKind: DestinationKind {
    public let service: String
    public let profile = "rtmp"
    /// TLS unless a `url` says otherwise.
    let isTLS: Bool
    /// Whether a `url` may say otherwise.
    let isSchemeFree: Bool
    let host: String?
    let port: Int?
    let app: String?

    init(
        _ service: String, isTLS: Bool = false, isSchemeFree: Bool = true, host: String? = nil, port: Int? = nil,
        app: String? = nil
    ) {
        self.service = service
        self.isTLS = isTLS
        self.isSchemeFree = isSchemeFree
        self.host = host
        self.port = port
        self.app = app
    }

    public var fields: [DestinationField] {
        [
            DestinationField(.url),
            DestinationField(.host, isRequired: host == nil, defaultValue: host),
            DestinationField(.port, defaultValue: String(defaultPort(isTLS: isTLS))),
            DestinationField(.app, isRequired: app == nil, defaultValue: app),
            DestinationField(.instance),
            DestinationField(.stream, isRequired: true),
            DestinationField(.user),
            DestinationField(.password),
        ]
    }

    private func defaultPort(isTLS: Bool) -> Int {
        if let port, isTLS == self.isTLS { return port }
        return isTLS ? RTMP.defaultTLSPort : RTMP.defaultPort
    }

    public func destination(from fields: [String: String]) throws(FieldProblems) -> any PushDestination {
        var reader = DestinationFieldReader(fields)
        let parts = reader.has(.url) ? fromURL(&reader) : fromFields(&reader)
        let user = reader.text(.user, limit: 256)
        let password = reader.text(.password, limit: 1024)
        if password != nil, user == nil, parts?.user == nil {
            reader.missing(.user)
        }
        guard reader.problems.isEmpty, var destination = parts else {
            throw FieldProblems(reader.problems)
        }
        if let user { destination.user = user }
        if let password { destination.password = password }
        return destination
    }

    private func fromFields(_ reader: inout DestinationFieldReader) -> RTMPDestination? {
        let host = reader.host() ?? (reader.has(.host) ? nil : self.host)
        if host == nil, !reader.has(.host) {
            reader.missing(.host)
        }
        let port = reader.port() ?? (reader.has(.port) ? nil : defaultPort(isTLS: isTLS))
        let app = reader.path(.app) ?? (reader.has(.app) ? nil : self.app)
        if app == nil, !reader.has(.app) {
            reader.missing(.app)
        }
        let instance = reader.path(.instance)
        let stream = reader.required(.stream, limit: 1024)
        guard let host, let port, let app, let stream else { return nil }
        return RTMPDestination(
            isTLS: isTLS, host: host, port: port, app: instance.map { "\(app)/\($0)" } ?? app, stream: stream)
    }

    private func fromURL(_ reader: inout DestinationFieldReader) -> RTMPDestination? {
        for name in [DestinationFieldName.host, .port, .app, .instance] where reader.has(name) {
            reader.invalid(name, "must not be given together with url")
        }
        guard let text = reader.text(.url, limit: 2048) else { return nil }
        let url: RTMPURL
        do throws(RTMPError) {
            url = try RTMPURL(text)
        } catch {
            reader.invalid(.url, "must be rtmp[s]://host[:port]/app/stream: \(error.message)")
            return nil
        }
        guard isSchemeFree || url.isTLS == isTLS else {
            reader.invalid(.url, "must begin with \(isTLS ? "rtmps" : "rtmp")://")
            return nil
        }
        guard DestinationFieldReader.isHost(url.host) else {
            reader.invalid(.url, "must hold a host name or an address")
            return nil
        }
        var app = url.app
        var stream = url.stream
        if let given = reader.text(.stream, limit: 1024) {
            // Then the URL is what platforms show as the server, and its whole path is the application.
            if !stream.isEmpty { app += "/" + stream }
            stream = given
        }
        if app.isEmpty { app = self.app ?? "" }
        guard !app.isEmpty else {
            reader.invalid(.url, "must name the application: rtmp[s]://host[:port]/app/stream")
            return nil
        }
        guard !stream.isEmpty else {
            reader.missing(.stream)
            return nil
        }
        return RTMPDestination(
            isTLS: url.isTLS, host: url.host, port: url.explicitPort ?? defaultPort(isTLS: url.isTLS), app: app,
            stream: stream, user: url.user, password: url.password)
    }
}

import Basics

/// The kinds of destination this server has, by `service_name`.
public struct DestinationKinds: Sendable {
    private let kinds: [String: any DestinationKind]
    /// In the documented order.
    public let services: [String]

    public init(_ kinds: [any DestinationKind]) {
        self.kinds = Dictionary(kinds.map { ($0.service, $0) }, uniquingKeysWith: { first, _ in first })
        services = kinds.map(\.service)
    }

    /// Every kind that is built in.
    public static let builtIn = DestinationKinds(RTMPKind.all)

    /// Kinds that the API knows and this server does not have.
    static let unavailable: Set<String> = ["srt", "akamai", "hls", "icecast", "mpegts"]

    /// - Throws: a problem of `service_name`, which says whether the name is wrong or the kind is not available.
    public func kind(_ service: String) throws(FieldProblems) -> any DestinationKind {
        if let kind = kinds[service] { return kind }
        guard !service.isEmpty else {
            throw FieldProblems([.missing("service_name")])
        }
        let expected =
            DestinationKinds.unavailable.contains(service)
            ? "\(service) is not available on this server yet"
            : "must be one of \(services.joined(separator: ", "))"
        throw FieldProblems([.invalid("service_name", expected: expected)])
    }

    /// Reads a destination: what `pushpublish.add` and `connect` check before they do anything.
    public func destination(service: String, fields: [String: String]) throws(FieldProblems) -> any PushDestination {
        try kind(service).destination(from: fields)
    }

    /// Fields as they may be given back: passwords and stream keys by their last four characters only.
    public static func masked(_ fields: [String: String]) -> [String: String] {
        var shown = fields
        for (name, value) in fields {
            switch DestinationFieldName(rawValue: name) {
            case .stream, .password: shown[name] = Secret.masked(value)
            case .app, .instance: shown[name] = RTMPDestination.withoutQuery(value)
            case .url: shown[name] = RTMPDestination.masked(url: value, hasStream: fields["dst_stream"] != nil)
            case .host, .port, .user: break
            // Fields of kinds to come may be secret too; names and numbers of Akamai's are not.
            case nil: shown[name] = publicFields.contains(name) ? value : Secret.masked(value)
            }
        }
        return shown
    }

    private static let publicFields: Set<String> = [
        "host_id", "stream_id", "event_name", "primary_server", "backup_server", "lock_servers",
    ]
}

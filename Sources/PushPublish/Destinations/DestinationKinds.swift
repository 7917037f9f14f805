import Basics

/// The kinds of destination a server has, by `service_name`.
public struct DestinationKinds: Sendable {
    /// Every kind that is built in: a new one is its folder and its line here.
    public static let builtIn = DestinationKinds(
        [
            RTMPKind.all
        ].flatMap { $0 }, announced: ["srt", "akamai", "hls", "icecast", "mpegts"])

    private let kinds: [String: any DestinationKind]
    private let announced: Set<String>
    /// The kinds' names, in the documented order.
    public let services: [String]
    /// The fields of all kinds in the documented order, each name once.
    public let fields: [DestinationField]

    /// - Parameter announced: kinds that the API knows and this server does not have yet.
    public init(_ kinds: [any DestinationKind], announced: Set<String> = []) {
        self.kinds = Dictionary(kinds.map { ($0.service, $0) }, uniquingKeysWith: { first, _ in first })
        self.announced = announced
        services = kinds.map(\.service)
        var names: Set<String> = []
        fields = kinds.flatMap(\.fields).filter { names.insert($0.name).inserted }
    }

    /// - Throws: a problem of `service_name`, which says whether the name is wrong or the kind is not available.
    public func kind(_ service: String) throws(FieldProblems) -> any DestinationKind {
        if let kind = kinds[service] { return kind }
        guard !service.isEmpty else {
            throw FieldProblems([.missing("service_name")])
        }
        let expected =
            announced.contains(service)
            ? "\(service) is not available on this server yet"
            : "must be one of \(services.joined(separator: ", "))"
        throw FieldProblems([.invalid("service_name", expected: expected)])
    }

    /// What a kind takes, in the documented order; nothing when there is no such kind.
    public func fields(of service: String) -> [DestinationField] {
        kinds[service]?.fields ?? []
    }

    /// Stored values as they may be given back, in the documented order: passwords and stream keys by their last four
    /// characters only. What the kind does not declare may be secret as well, and is masked.
    public func shown(_ values: [String: String], of service: String) -> [(name: String, value: String)] {
        let declared = fields(of: service)
        let others = Set(values.keys).subtracting(declared.map(\.name)).sorted()
        return declared.compactMap { field in
            values[field.name].map { (field.name, field.shown($0, among: values)) }
        } + others.map { ($0, Secret.masked(values[$0] ?? "")) }
    }
}

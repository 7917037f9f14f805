import Basics

/// A kind of destination: what it is called, which fields it takes, and how its fields become a destination.
///
/// One folder for each kind, and one line in `DestinationKinds.builtIn`. Values are checked here and nowhere else, so that
/// a destination that exists can be tried.
public protocol DestinationKind: Sendable {
    /// `service_name` of the API.
    var service: String { get }
    /// The profile's name, from which entry names are made: `rtmp`, `srt` …
    var profile: String { get }
    /// What it takes, in the documented order.
    var fields: [DestinationField] { get }
    /// - Parameter values: by API name, as given. Values of other names are ignored, empty ones count as not given.
    /// - Throws: everything that is wrong with them at once.
    func destination(from values: [String: String]) throws(FieldProblems) -> any PushDestination
}

/// A place to push to, checked as far as it can be without a connection.
public protocol PushDestination: Sendable {
    /// The host's name or address, IPv6 without brackets.
    var host: String { get }
    /// Connections on their way to one host and port are limited.
    var port: Int { get }
    /// For people, without secrets: `rtmp://live.example.com/app/****abcd`.
    var summary: String { get }
    /// What must never be shown, such as a stream key.
    var secrets: [String] { get }
    /// Equal for destinations where one stream would meet the other. Holds secrets; never shown.
    var identity: String { get }
    /// A connection that has not started yet.
    func makeConnection(_ context: PushConnectionContext) -> any PushConnection
}

/// One field that a kind of destination takes.
///
/// This is the field's only declaration: the reader that checks values, the API's documentation and what replies show of
/// a stored value all go by it.
public struct DestinationField: Sendable {
    /// How a stored value is given back.
    public enum Display: Sendable {
        case whole
        /// By its last four characters.
        case masked
        /// By a rule that is given the value and all values of the destination by name.
        case rule(@Sendable (_ value: String, _ values: [String: String]) -> String)
    }

    /// The name in the API, such as `dst_host`.
    public let name: String
    /// Other spellings that older clients use.
    public let aliases: [String]
    /// For the documentation.
    public let text: String
    /// The longest value, in bytes.
    public let maximumBytes: Int
    /// Whether it must be given, unless another field says it.
    public private(set) var isRequired = false
    /// What it is when it is not given; nil: nothing.
    public private(set) var defaultValue: String?
    private let display: Display

    /// - Parameter display: masked unless the field says otherwise, so that a forgotten word shows no secret.
    public init(
        _ name: String, aliases: [String] = [], maximumBytes: Int = 512, display: Display = .masked, text: String
    ) {
        self.name = name
        self.aliases = aliases
        self.maximumBytes = maximumBytes
        self.display = display
        self.text = text
    }

    /// The field where it must be given, or has a default.
    public func required(default value: String? = nil) -> DestinationField {
        var field = self
        field.isRequired = value == nil
        field.defaultValue = value
        return field
    }

    /// A stored value as replies may show it.
    /// - Parameter values: all values of the destination, by name.
    public func shown(_ value: String, among values: [String: String]) -> String {
        switch display {
        case .whole: value
        case .masked: Secret.masked(value)
        case .rule(let rule): rule(value, values)
        }
    }
}

/// One key of the configuration: the row of the table that reading, checking, `playhouse config print-default` and
/// docs/configuration.md all follow.
public struct ConfigurationKey: Sendable {
    /// `group.name`, such as `http.listen`.
    public let name: String
    /// What kind of value: `duration`, `host:port` …
    public let type: String
    /// The unit of a plain number; empty when there is none.
    public let unit: String
    /// The values allowed; empty when all of the type are.
    public let range: String
    public let isList: Bool
    public let defaultValue: RawSetting
    /// What it is for, in a sentence or three.
    public let text: String
    /// Completes "expected …".
    let expectation: String
    /// Puts a value into the configuration.
    let assign: @Sendable (RawSetting, inout PlayhouseConfiguration) throws(UnacceptableValue) -> Void

    /// The default is what `PlayhouseConfiguration()` has at `path`.
    init<Value: Sendable>(
        _ name: String, _ path: WritableKeyPath<PlayhouseConfiguration, Value> & Sendable,
        _ kind: ConfigurationKind<Value>, _ text: String
    ) {
        self.name = name
        self.text = text
        type = kind.type
        unit = kind.unit
        range = kind.range
        isList = kind.isList
        expectation = kind.expectation
        defaultValue = kind.print(PlayhouseConfiguration()[keyPath: path])
        assign = { (raw, configuration) throws(UnacceptableValue) in
            configuration[keyPath: path] = try kind.parse(raw)
        }
    }

    /// `http` of `http.listen`.
    public var group: String {
        String(name.prefix { $0 != "." })
    }

    /// `listen` of `http.listen`.
    public var member: String {
        String(name.drop { $0 != "." }.dropFirst())
    }

    /// The environment variable that overrides it: `PLAYHOUSE_HTTP_LISTEN`.
    public var variable: String {
        Self.variablePrefix + name.uppercased().replacing(".", with: "_")
    }

    static let variablePrefix = "PLAYHOUSE_"
}

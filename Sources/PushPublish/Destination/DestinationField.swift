/// One field that a kind of destination takes.
public struct DestinationField: Sendable, Hashable {
    public var name: DestinationFieldName
    /// Whether it must be given, unless `url` says it.
    public var isRequired: Bool
    /// What it is used as when it is not given; nil: nothing.
    public var defaultValue: String?

    public init(_ name: DestinationFieldName, isRequired: Bool = false, defaultValue: String? = nil) {
        self.name = name
        self.isRequired = isRequired
        self.defaultValue = defaultValue
    }
}

/// The destination fields of the API, in their documented order.
public enum DestinationFieldName: String, Sendable, Hashable, CaseIterable {
    case url
    case host = "dst_host"
    case port = "dst_port"
    case app = "dst_app"
    case instance = "dst_inst"
    case stream = "dst_stream"
    case user = "dst_user"
    case password = "dst_pass"
}

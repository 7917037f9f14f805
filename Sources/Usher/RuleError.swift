/// A rule field of a ticket that cannot be read: which, what stood there and what was expected.
public struct RuleError: Error, Sendable, Hashable, CustomStringConvertible {
    public var field: String
    /// The entry that is wrong, at most 64 characters of it; empty when the whole field is.
    public var value: String
    /// In words for the customer, such as `a CIDR block such as 192.0.2.0/24`.
    public var expected: String

    public init(field: String, value: some StringProtocol, expected: String) {
        self.field = field
        self.value = String(value.prefix(64))
        self.expected = expected
    }

    public var description: String {
        value.isEmpty ? "\(field): expected \(expected)" : "\(field): '\(value)' is not \(expected)"
    }
}

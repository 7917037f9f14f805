import Usher

/// A pattern of the configuration, with the text it was made of.
public struct ConfigurationPattern: Sendable, Hashable, CustomStringConvertible {
    public let description: String
    private let wildcard: Wildcard

    public init(_ text: String) {
        description = text
        wildcard = Wildcard(text)
    }

    public func matches(_ name: String) -> Bool {
        wildcard.matches(name)
    }
}

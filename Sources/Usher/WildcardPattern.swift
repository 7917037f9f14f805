/// A wildcard pattern, with the text it was made of.
public struct WildcardPattern: Sendable, Hashable, CustomStringConvertible {
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

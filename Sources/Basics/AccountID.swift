/// The number of an account: what the API calls `cdn`. Positive.
public struct AccountID: RawRepresentable, Sendable, Hashable, Codable, Comparable, ExpressibleByIntegerLiteral,
    CustomStringConvertible
{
    public let rawValue: Int

    public init(rawValue: Int) {
        self.rawValue = rawValue
    }

    public init(integerLiteral value: Int) {
        rawValue = value
    }

    public static func < (left: AccountID, right: AccountID) -> Bool {
        left.rawValue < right.rawValue
    }

    public var description: String { String(rawValue) }
}

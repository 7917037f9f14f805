import Basics

/// A pipe list of wildcard patterns: a ticket's `app` or `video` field, parsed.
public struct WildcardList: Sendable, Hashable {
    public let patterns: [Wildcard]

    /// Longest text of a list in bytes, and most patterns.
    public static let maximumLength = 4096
    public static let maximumEntries = 128

    /// Spaces around patterns are ignored, and empty ones. A list without patterns matches nothing.
    public init(_ text: String) {
        patterns = Self.entries(of: text).map { Wildcard($0) }
    }

    /// A list of videos: the player's prefixes (`mp4:` …) mean nothing in patterns either.
    public init(videos text: String) {
        patterns = Self.entries(of: text).map { Wildcard(VideoName.normalized($0)) }
    }

    /// The patterns' texts.
    public static func names(_ text: String) -> [String] {
        entries(of: text).map { String($0) }
    }

    private static func entries(of text: String) -> [Substring] {
        text.utf8.split(separator: UInt8(ascii: "|")).map { Substring($0).trimmingSpaces }.filter { !$0.isEmpty }
    }

    public func matches(_ text: String) -> Bool {
        patterns.contains { $0.matches(text) }
    }

    /// What a customer sends as `field`: refused when there is no pattern in it, or more than a ticket may hold.
    public static func validate(_ text: String, field: String) throws(FieldProblem) {
        guard text.utf8.count <= maximumLength else {
            throw FieldProblem.invalid(field, expected: "must be at most \(maximumLength) bytes")
        }
        let count = WildcardList(text).patterns.count
        guard (1...maximumEntries).contains(count) else {
            throw FieldProblem.invalid(
                field,
                expected: "must be 1 to \(maximumEntries) names, separated by |, in which * stands for any characters")
        }
    }
}

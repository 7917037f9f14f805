/// What is wrong with one field that a customer gave: made where it is known, and named by the API as it stands.
public struct FieldProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The field's name as in the API, such as `dst_port`.
    public var field: String
    /// The part of the value that is wrong, at most 64 Unicode scalars (256 bytes) of it; empty when the whole value is,
    /// or when it may be secret.
    public var value: String
    /// What was expected, to follow the field's name: `must be an integer from 1 to 65535`. Without secrets; nil when the
    /// field is required and was not given.
    public var expected: String?

    private init(field: String, value: String, expected: String?) {
        self.field = field
        self.value = value
        self.expected = expected
    }

    /// A required field was not given.
    public static func missing(_ field: String) -> FieldProblem {
        FieldProblem(field: field, value: "", expected: nil)
    }

    /// A field was given with something that cannot be used.
    public static func invalid(_ field: String, value: Substring = "", expected: String) -> FieldProblem {
        var shown = String.UnicodeScalarView()
        shown.append(contentsOf: value.unicodeScalars.prefix(64))
        return FieldProblem(field: field, value: String(shown), expected: expected)
    }

    public var isMissing: Bool { expected == nil }

    /// One sentence part: `dst_port must be a number from 1 to 65535`.
    public var description: String {
        guard let expected else { return "\(field) is missing" }
        return value.isEmpty ? "\(field) \(expected)" : "\(field) \(expected), not \(value)"
    }
}

/// Why fields are not accepted: at least one problem, in the documented order of the fields.
public struct FieldProblems: Error, Sendable, Hashable, CustomStringConvertible {
    public var problems: [FieldProblem]

    public init(_ problems: [FieldProblem]) {
        self.problems = problems
    }

    public var description: String {
        problems.map(\.description).joined(separator: "; ")
    }
}

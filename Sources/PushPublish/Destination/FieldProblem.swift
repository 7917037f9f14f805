/// What is wrong with one field of a destination, made where it is known so that the API can name it.
public struct FieldProblem: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The field is required and was not given.
        case missing
        /// It was given with a value that cannot be used.
        case invalid
    }

    /// The field's name as in the API, such as `dst_port`.
    public var field: String
    public var kind: Kind
    /// What was expected, to follow the field's name: `must be a number from 1 to 65535`. Without secrets.
    public var expected: String

    public init(_ field: String, _ kind: Kind, _ expected: String) {
        self.field = field
        self.kind = kind
        self.expected = expected
    }

    /// One sentence part: `dst_port must be a number from 1 to 65535`.
    public var description: String {
        "\(field) \(expected)"
    }
}

/// Why a destination's fields are not accepted: at least one problem, in the documented order of the fields.
public struct FieldProblems: Error, Sendable, Hashable, CustomStringConvertible {
    public var problems: [FieldProblem]

    public init(_ problems: [FieldProblem]) {
        self.problems = problems
    }

    public var description: String {
        problems.map(\.description).joined(separator: "; ")
    }
}

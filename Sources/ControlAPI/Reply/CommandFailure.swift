/// Why a command was not carried out: what the failure reply says.
public struct CommandFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public var code: ReplyCode
    public var message: String

    /// The code's own message unless a more precise one is given.
    public init(_ code: ReplyCode, _ message: String? = nil) {
        self.code = code
        self.message = message ?? code.message
    }

    /// Code 6 for the fields named, in the order documented.
    public init(missing fields: [String]) {
        let names = fields.joined(separator: ", ")
        self.init(.requiredFieldsMissing, "\(ReplyCode.requiredFieldsMissing.message): \(names)")
    }

    /// Code 7 for fields of the wrong type or value.
    public init(invalid problems: [FieldProblem]) {
        let texts = problems.map { "\($0.field) \($0.expected ?? "must be given")" }
        self.init(.fieldInvalid, "\(ReplyCode.fieldInvalid.message): \(texts.joined(separator: "; "))")
    }

    /// Code 6 when a field is missing, else code 7; nil when there are no problems.
    init?(_ problems: [FieldProblem]) {
        let missing = problems.filter { $0.expected == nil }
        if !missing.isEmpty {
            self.init(missing: missing.map(\.field))
        } else if !problems.isEmpty {
            self.init(invalid: problems)
        } else {
            return nil
        }
    }

    public var description: String { "\(code.rawValue) \(message)" }
}

/// What is wrong with one field of a request.
public struct FieldProblem: Sendable, Hashable {
    public var field: String
    /// What was expected, to follow the field's name: `must be an integer from 1 to 65535`; nil when the field is
    /// missing.
    public var expected: String?

    public init(field: String, expected: String?) {
        self.field = field
        self.expected = expected
    }

    public static func missing(_ field: String) -> FieldProblem {
        FieldProblem(field: field, expected: nil)
    }

    public static func invalid(_ field: String, expected: String) -> FieldProblem {
        FieldProblem(field: field, expected: expected)
    }
}

import Basics

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
        self.init(.fieldInvalid, "\(ReplyCode.fieldInvalid.message): \(FieldProblems(problems))")
    }

    /// Code 6 when a field is missing, else code 7; nil when there are no problems.
    init?(_ problems: [FieldProblem]) {
        let missing = problems.filter(\.isMissing)
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

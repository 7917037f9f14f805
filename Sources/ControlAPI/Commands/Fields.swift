import Basics
import Foundation
import Live
import PushPublish
import Storage
import Usher

/// Reads a command's fields, with the coercions that clients need (numbers and booleans as strings), and collects
/// everything that is wrong with them, so that one reply names it all.
public struct Fields: Sendable {
    public let object: JSONObject
    let account: Account
    /// What times such as `+2 hours` count from.
    let now: Date
    /// The kinds of destination that pushes may have.
    let destinations: DestinationKinds
    private(set) var problems: [FieldProblem] = []

    init(_ object: JSONObject, account: Account, now: Date, destinations: DestinationKinds) {
        self.object = object
        self.account = account
        self.now = now
        self.destinations = destinations
    }

    /// Throws the failure that names what was wrong, in the order in which `command` documents its fields: code 6 for
    /// what is missing, else code 7.
    func finish(for command: CommandDescription) throws(CommandFailure) {
        let names = command.fields.map(\.name)
        let places = problems.map { names.firstIndex(of: $0.field) ?? names.count }
        let order = problems.indices.sorted { (places[$0], $0) < (places[$1], $1) }
        if let failure = CommandFailure(order.map { problems[$0] }) { throw failure }
    }

    /// - Parameter expected: what the field must be, such as `an integer from 1 to 1000`.
    mutating func invalid(_ field: String, _ expected: String) {
        add(.invalid(field, expected: "must be \(expected)"))
    }

    mutating func add(_ problem: FieldProblem) {
        problems.append(problem)
    }

    mutating func missing(_ field: String) {
        problems.append(.missing(field))
    }

    /// Whether the request has the field, null included.
    func has(_ field: String) -> Bool {
        object[field] != nil
    }

    /// Whether the request has the field with something in it: clients send null or "" for what they do not mean.
    func isGiven(_ field: String) -> Bool {
        switch object[field] {
        case nil, .null?, .string("")?: false
        default: true
        }
    }

    /// Whether the request has the field with the value null.
    func isNull(_ field: String) -> Bool {
        object[field] == .some(.null)
    }

    // MARK: Optional fields: nil when absent, null or empty

    mutating func text(_ field: String, maximum: Int = 1_024) -> String? {
        switch object[field] {
        case nil, .null?: return nil
        case .string(let text)?:
            guard text.utf8.count <= maximum else {
                invalid(field, "at most \(maximum) bytes")
                return nil
            }
            guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                invalid(field, "text without control characters")
                return nil
            }
            return text.isEmpty ? nil : text
        case .integer(let integer)?: return String(integer)
        case .number(let number)?: return number.text
        default:
            invalid(field, "a string")
            return nil
        }
    }

    mutating func integer(_ field: String, _ range: ClosedRange<Int>) -> Int? {
        let value: Int64?
        switch object[field] {
        case nil, .null?, .string("")?: return nil
        case .integer(let integer)?: value = integer
        case .number(let number)?: value = Int64(exactly: number.value)
        case .string(let text)?: value = Int64(text)
        default: value = nil
        }
        guard let value, let integer = Int(exactly: value), range.contains(integer) else {
            invalid(field, "an integer from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return integer
    }

    mutating func boolean(_ field: String) -> Bool? {
        switch object[field] {
        case nil, .null?, .string("")?: return nil
        case .bool(let value)?: return value
        case .integer(0)?: return false
        case .integer(1)?: return true
        case .string(let text)?:
            switch text.lowercased() {
            case "1", "true", "yes", "on": return true
            case "0", "false", "no", "off": return false
            default: break
            }
        default: break
        }
        invalid(field, "true or false (1 or 0)")
        return nil
    }

    mutating func choice<Value: RawRepresentable & CaseIterable>(_ field: String, _: Value.Type) -> Value?
    where Value.RawValue == String {
        guard let text = text(field) else { return nil }
        guard let value = Value(rawValue: text) else {
            invalid(field, "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "))
            return nil
        }
        return value
    }

    mutating func date(_ field: String) -> Date? {
        guard let text = text(field) else { return nil }
        do throws(FieldProblem) {
            return try ExpiryParser.parse(text, now: now, field: field)
        } catch {
            add(error)
            return nil
        }
    }

    // MARK: Required fields: a problem and nil when absent

    mutating func requiredText(_ field: String, maximum: Int = 1_024) -> String? {
        let before = problems.count
        if let text = text(field, maximum: maximum) { return text }
        if problems.count == before { missing(field) }
        return nil
    }

    mutating func requiredInteger(_ field: String, _ range: ClosedRange<Int>) -> Int? {
        let before = problems.count
        if let integer = integer(field, range) { return integer }
        if problems.count == before { missing(field) }
        return nil
    }

    /// An app of the account. Another account's is answered like one that cannot be: it is never visible.
    mutating func ownApp(_ field: String = "app", isRequired: Bool = true) -> String? {
        guard let app = isRequired ? requiredText(field, maximum: 128) : text(field, maximum: 128) else { return nil }
        // Older commands write app/instance.
        let name = app.split(separator: "/", maxSplits: 1).first.map(String.init) ?? app
        guard account.owns(app: name), StreamAddress.isValidName(name) else {
            invalid(field, "an application of the account, which begins with \(account.user)-")
            return nil
        }
        return name
    }

    /// An instance or stream name.
    mutating func name(_ field: String, isRequired: Bool = true, allowsStar: Bool = false) -> String? {
        guard let name = isRequired ? requiredText(field, maximum: 128) : text(field, maximum: 128) else { return nil }
        guard StreamAddress.isValidName(name) || (allowsStar && name == "*") else {
            invalid(field, "1 to 128 letters, digits, - _ . or ~" + (allowsStar ? ", or * for every stream" : ""))
            return nil
        }
        return name
    }
}

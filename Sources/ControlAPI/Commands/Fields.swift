import Basics
import Foundation
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
    /// The declared fields that were read, to be held against the command's description.
    private var read: Set<String> = []

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
        assert(read.isSubset(of: names), "\(command.name) reads \(read.subtracting(names)) and does not describe them")
        let places = problems.map { names.firstIndex(of: $0.field) ?? names.count }
        let order = problems.indices.sorted { (places[$0], $0) < (places[$1], $1) }
        if let failure = CommandFailure(order.map { problems[$0] }) { throw failure }
    }

    /// Reads a declared field.
    /// - Parameter isRequired: whether its absence is a problem here, where that depends on other fields.
    /// - Returns: nil when the field is absent, null, empty or wrong.
    mutating func read<Value>(_ field: CommandField<Value>, isRequired: Bool? = nil) -> Value? {
        read.insert(field.name)
        let before = problems.count
        let name = ([field.name] + field.aliases).first(where: isGiven) ?? field.name
        if let value = field.kind.read(&self, name) { return value }
        if problems.count == before, isRequired ?? field.isRequired { missing(field.name) }
        return nil
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

    mutating func missing<Value>(_ field: CommandField<Value>) {
        missing(field.name)
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

    /// Whether the request has the field, under any of its names, with something in it.
    func isGiven<Value>(_ field: CommandField<Value>) -> Bool {
        ([field.name] + field.aliases).contains(where: isGiven)
    }

    /// Whether the request has the field with the value null.
    func isNull(_ field: String) -> Bool {
        object[field] == .some(.null)
    }

    // MARK: Values: nil when absent, null or empty

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

    mutating func lines(_ field: String, most: Int, bytes: Int) -> [String]? {
        var lines: [String] = []
        switch object[field] {
        case nil, .null?, .string("")?: return nil
        case .string(let text)?:
            lines = text.split(whereSeparator: \.isNewline).map(String.init)
        case .array(let values)?:
            for value in values {
                guard let text = value.stringValue else {
                    invalid(field, "a list of texts, or one text with a line for each")
                    return nil
                }
                lines.append(text)
            }
        default:
            invalid(field, "a list of texts, or one text with a line for each")
            return nil
        }
        let isGood = lines.allSatisfy { line in
            (1...bytes).contains(line.utf8.count)
                && !line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
        }
        guard (1...most).contains(lines.count), isGood else {
            invalid(field, "1 to \(most) texts of 1 to \(bytes) bytes without control characters")
            return nil
        }
        return lines
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
}

import Basics
import Usher

/// Reads a destination's fields and gathers what is wrong with them.
///
/// Values go into commands and host lookups, so control characters are refused everywhere and white space where no server
/// could mean it.
struct DestinationFieldReader {
    private let fields: [String: String]
    private(set) var problems: [FieldProblem] = []

    init(_ fields: [String: String]) {
        self.fields = fields
    }

    mutating func missing(_ name: DestinationFieldName) {
        problems.append(.missing(name.rawValue))
    }

    mutating func invalid(_ name: DestinationFieldName, _ expected: String) {
        problems.append(.invalid(name.rawValue, expected: expected))
    }

    /// Whether it was given with something in it.
    func has(_ name: DestinationFieldName) -> Bool {
        fields[name.rawValue]?.isEmpty == false
    }

    /// A value without control characters, at most `limit` bytes.
    mutating func text(_ name: DestinationFieldName, limit: Int) -> String? {
        guard let value = fields[name.rawValue], !value.isEmpty else { return nil }
        guard value.utf8.count <= limit else {
            invalid(name, "must be at most \(limit) bytes long")
            return nil
        }
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            invalid(name, "must not hold control characters")
            return nil
        }
        return value
    }

    mutating func required(_ name: DestinationFieldName, limit: Int) -> String? {
        guard has(name) else {
            missing(name)
            return nil
        }
        return text(name, limit: limit)
    }

    /// A part of an application's path, without slashes around it.
    mutating func path(_ name: DestinationFieldName) -> String? {
        guard let value = text(name, limit: 512) else { return nil }
        let trimmed = value.split(separator: "/").joined(separator: "/")
        guard !trimmed.isEmpty, !value.utf8.contains(UInt8(ascii: " ")) else {
            invalid(name, "must be a name without spaces")
            return nil
        }
        return trimmed
    }

    mutating func host() -> String? {
        guard var value = text(.host, limit: 255) else { return nil }
        if value.hasPrefix("["), value.hasSuffix("]") {
            value = String(value.dropFirst().dropLast())
        }
        guard DestinationFieldReader.isHost(value) else {
            invalid(.host, "must be a host name or an address, without scheme, port or path")
            return nil
        }
        return value
    }

    mutating func port() -> Int? {
        guard let value = text(.port, limit: 5) else { return nil }
        guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(value), port > 0 else {
            invalid(.port, "must be a number from 1 to 65535")
            return nil
        }
        return Int(port)
    }

    /// A DNS name (RFC 1123, underscores allowed) or an address.
    static func isHost(_ text: String) -> Bool {
        if IPAddress(text) != nil { return true }
        guard text.utf8.count <= 253 else { return false }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let named = labels.last?.isEmpty == true ? labels.dropLast() : labels[...]
        // Digits alone at the end would be an address that some resolvers read in octal or as one number.
        guard let last = named.last, !last.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        return named.allSatisfy { label in
            (1...63).contains(label.count) && label.first != UInt8(ascii: "-")
                && label.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                    default: false
                    }
                }
        }
    }
}

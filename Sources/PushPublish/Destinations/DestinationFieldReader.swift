import Basics

/// Reads a destination's values by the declarations of their fields, and gathers what is wrong with them.
///
/// Values go into commands and host lookups, so control characters are refused everywhere and white space where no server
/// could mean it. A field that is not given has its default, and is a problem when it has none and is required.
struct DestinationFieldReader {
    private let values: [String: String]
    private(set) var problems: [FieldProblem] = []

    init(_ values: [String: String]) {
        self.values = values
    }

    mutating func missing(_ field: DestinationField) {
        problems.append(.missing(field.name))
    }

    mutating func invalid(_ field: DestinationField, _ expected: String) {
        problems.append(.invalid(field.name, expected: expected))
    }

    /// Whether it was given with something in it.
    func has(_ field: DestinationField) -> Bool {
        values[field.name]?.isEmpty == false
    }

    /// A value without control characters, at most as long as the field may be.
    mutating func text(_ field: DestinationField) -> String? {
        guard let value = values[field.name], !value.isEmpty else {
            if field.isRequired { missing(field) }
            return field.defaultValue
        }
        guard value.utf8.count <= field.maximumBytes else {
            invalid(field, "must be at most \(field.maximumBytes) bytes long")
            return nil
        }
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            invalid(field, "must not hold control characters")
            return nil
        }
        return value
    }

    /// A part of an application's path, without slashes around it.
    mutating func path(_ field: DestinationField) -> String? {
        guard let value = text(field) else { return nil }
        let trimmed = value.split(separator: "/").joined(separator: "/")
        guard !trimmed.isEmpty, !value.utf8.contains(UInt8(ascii: " ")) else {
            invalid(field, "must be a name without spaces")
            return nil
        }
        return trimmed
    }

    mutating func host(_ field: DestinationField) -> String? {
        guard var value = text(field) else { return nil }
        if value.hasPrefix("["), value.hasSuffix("]") {
            value = String(value.dropFirst().dropLast())
        }
        guard DestinationFieldReader.isHost(value) else {
            invalid(field, "must be a host name or an address, without scheme, port or path")
            return nil
        }
        return value
    }

    mutating func port(_ field: DestinationField) -> Int? {
        guard let value = text(field) else { return nil }
        guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(value), port > 0 else {
            invalid(field, "must be a number from 1 to 65535")
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

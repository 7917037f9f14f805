/// What the text of a field must be like.
struct FieldText: Sendable {
    /// To follow the field's name in a message, such as `must be a stream name of …`.
    let expected: String
    let accepts: @Sendable (String) -> Bool

    /// Text without control characters, at most `limit` bytes.
    static func text(limit: Int = 255) -> FieldText {
        FieldText(expected: "must be text of at most \(limit) bytes without control characters") { text in
            text.utf8.count <= limit && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        }
    }

    /// What apps, instances and streams are made of.
    static let name = FieldText(
        expected: "must be 1 to 128 letters, digits and - _ . ~, and not begin with a dot", accepts: isName)

    /// A stream, or `*` for every stream of the app.
    static let nameOrAll = FieldText(
        expected: "must be 1 to 128 letters, digits and - _ . ~, and not begin with a dot, or *"
    ) { $0 == "*" || isName($0) }

    static let userName = FieldText(expected: "must be 1 to 64 letters, digits and - _ . @") { text in
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { isLetterOrDigit($0) || "-_.@".utf8.contains($0) }
    }

    /// One of some words.
    static func oneOf(_ words: [String]) -> FieldText {
        FieldText(expected: "must be one of \(words.joined(separator: ", "))") { words.contains($0) }
    }

    private static let isName: @Sendable (String) -> Bool = { text in
        (1...128).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: ".")
            && text.utf8.allSatisfy { isLetterOrDigit($0) || "-_.~".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

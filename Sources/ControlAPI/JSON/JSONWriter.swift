import Basics

/// Writes JSON without white space, in the styles of the clients that sign.
public struct JSONWriter: Sendable {
    /// How a serialiser writes what JSON leaves open.
    public struct Style: Sendable, Hashable {
        /// `/` as `\/`.
        var escapesSlash: Bool
        /// Everything outside ASCII as `\uXXXX`.
        var escapesNonASCII: Bool
        /// DELETE as `\u007f`.
        var escapesDelete: Bool
        /// Doubles as PHP prints them; otherwise as they were received.
        var printsPHPDoubles: Bool

        /// `json_encode` of PHP with its defaults. Replies are written so.
        public static let php = Style(
            escapesSlash: true, escapesNonASCII: true, escapesDelete: false, printsPHPDoubles: true)
        /// Ruby's `JSON.generate`, Perl's `encode_json`, JavaScript's `JSON.stringify`.
        public static let raw = Style(
            escapesSlash: false, escapesNonASCII: false, escapesDelete: false, printsPHPDoubles: false)
        /// Python's `json.dumps` with compact separators.
        public static let python = Style(
            escapesSlash: false, escapesNonASCII: true, escapesDelete: true, printsPHPDoubles: false)
    }

    private let style: Style
    private var output: [UInt8] = []

    private init(style: Style) {
        self.style = style
    }

    public static func write(_ value: JSONValue, style: Style = .php) -> [UInt8] {
        var writer = JSONWriter(style: style)
        writer.append(value)
        return writer.output
    }

    public static func write(_ object: JSONObject, style: Style = .php) -> [UInt8] {
        write(.object(object), style: style)
    }

    private mutating func append(_ value: JSONValue) {
        switch value {
        case .null: append(ascii: "null")
        case .bool(let flag): append(ascii: flag ? "true" : "false")
        case .integer(let integer): append(ascii: String(integer))
        case .number(let number):
            append(ascii: style.printsPHPDoubles ? PHPDouble.text(number.value, exponent: "e") : number.text)
        case .string(let text): append(string: text)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                append(element)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            output.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                append(string: member.name)
                output.append(UInt8(ascii: ":"))
                append(member.value)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    private mutating func append(ascii text: String) {
        output.append(contentsOf: text.utf8)
    }

    private mutating func append(string: String) {
        output.append(UInt8(ascii: "\""))
        for scalar in string.unicodeScalars {
            switch scalar.value {
            case 0x22: append(ascii: "\\\"")
            case 0x5C: append(ascii: "\\\\")
            case 0x2F: append(ascii: style.escapesSlash ? "\\/" : "/")
            case 0x08: append(ascii: "\\b")
            case 0x0C: append(ascii: "\\f")
            case 0x0A: append(ascii: "\\n")
            case 0x0D: append(ascii: "\\r")
            case 0x09: append(ascii: "\\t")
            case 0..<0x20: append(escape: UInt16(scalar.value))
            case 0x7F where style.escapesDelete: append(escape: 0x7F)
            case 0x80... where style.escapesNonASCII:
                for unit in UTF16.encode(scalar) ?? UTF16.EncodedScalar() {
                    append(escape: unit)
                }
            default: output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.EncodedScalar())
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    private mutating func append(escape unit: UInt16) {
        append(ascii: "\\u")
        for shift in [12, 8, 4, 0] {
            output.append(Hexadecimal.digit(UInt8(truncatingIfNeeded: unit >> UInt16(shift))))
        }
    }
}

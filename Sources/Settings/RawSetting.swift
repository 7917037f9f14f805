/// A setting as text, before it has a type: what a file or the environment gives, and what a default is printed as.
public enum RawSetting: Sendable, Hashable, CustomStringConvertible {
    case scalar(String)
    case list([String])

    /// As it is written in YAML on one line.
    public var description: String {
        switch self {
        case .scalar(let text): Self.yaml(text)
        case .list(let items): "[" + items.map(Self.yaml).joined(separator: ", ") + "]"
        }
    }

    /// How an error message names the value: quoted, shortened, without control characters.
    var found: String {
        switch self {
        case .scalar(let text): Self.quoted(text)
        case .list: "a list"
        }
    }

    static func quoted(_ text: String) -> String {
        let printable = text.unicodeScalars.prefix(60).map {
            $0.properties.generalCategory == .control ? "?" : String($0)
        }
        return "\"" + printable.joined() + (text.unicodeScalars.count > 60 ? "…" : "") + "\""
    }

    /// Plain where YAML reads it back as the same string, else in double quotes.
    private static func yaml(_ text: String) -> String {
        let isPlain =
            text.utf8.first.map { byte in HostPort.isNameByte(byte) && byte != UInt8(ascii: "-") } ?? false
            && text.utf8.allSatisfy { HostPort.isNameByte($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") }
            && !text.hasSuffix(":")
        if isPlain { return text }
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped)\""
    }
}

/// Why a text is not a value of its key's type: the part of it that was not understood.
struct UnacceptableValue: Error, Sendable, Hashable {
    var found: String
}

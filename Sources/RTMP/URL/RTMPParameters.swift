import Basics

/// Query parameters in their order, percent-decoded. A `+` stays a `+`: Adobe authentication sends bare base64.
public struct RTMPParameters: Sendable, Hashable {
    /// One parameter; the value is empty when there was no `=`.
    public struct Item: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public var items: [Item]

    public init(_ items: [Item] = []) {
        self.items = items
    }

    /// - Parameter query: `a=1&b=2` without the question mark. A second `?` separates like `&`, since encoders append
    ///   `?authmod=…` to applications that have a query already.
    public init(query: some StringProtocol) {
        items = []
        for part in query.utf8.split(whereSeparator: { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: "?") }) {
            // The first = only: base64 ends with more of them.
            if let equals = part.firstIndex(of: UInt8(ascii: "=")) {
                items.append(
                    Item(
                        PercentCoding.lenientText(of: part[..<equals]),
                        PercentCoding.lenientText(of: part[part.index(after: equals)...])
                    ))
            } else {
                items.append(Item(PercentCoding.lenientText(of: part), ""))
            }
        }
    }

    public var isEmpty: Bool {
        items.isEmpty
    }

    /// The first value of that name.
    public subscript(name: String) -> String? {
        items.first { $0.name == name }?.value
    }

    /// Splits at the first `?`; the rest is nil when there is none.
    static func split(_ text: String) -> (path: String, query: String?) {
        guard let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (text, nil) }
        return (String(text[..<mark]), String(text[text.utf8.index(after: mark)...]))
    }
}

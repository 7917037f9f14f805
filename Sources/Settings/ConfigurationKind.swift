import Storage

/// A type of setting: how its text becomes a value and back, and how messages and documentation describe it.
struct ConfigurationKind<Value: Sendable>: Sendable {
    /// `duration`, `host:port` …, as the reference names it.
    var type: String
    /// The unit of a plain number: `s`, `bytes`; empty when there is none.
    var unit = ""
    /// `3 to 60`; empty when anything of the type will do.
    var range = ""
    /// Completes "expected …".
    var expectation: String
    var isList = false
    var parse: @Sendable (RawSetting) throws(UnacceptableValue) -> Value
    var print: @Sendable (Value) -> RawSetting

    /// A kind whose value is one scalar.
    static func scalar(
        type: String, unit: String = "", range: String = "", expectation: String,
        parse: @escaping @Sendable (String) -> Value?, print: @escaping @Sendable (Value) -> String
    ) -> Self {
        Self(
            type: type, unit: unit, range: range, expectation: expectation,
            parse: { (raw) throws(UnacceptableValue) in
                guard case .scalar(let text) = raw, let value = parse(text.trimmed) else {
                    throw UnacceptableValue(found: raw.found)
                }
                return value
            },
            print: { .scalar(print($0)) })
    }

    /// A kind whose value is a list; the error names the first element that is not understood.
    static func list<Element: Sendable>(
        of type: String, expectation: String, parse: @escaping @Sendable (String) -> Element?,
        print: @escaping @Sendable (Element) -> String
    ) -> Self where Value == [Element] {
        Self(
            type: "list of \(type)", expectation: expectation, isList: true,
            parse: { (raw) throws(UnacceptableValue) in
                guard case .list(let texts) = raw else { throw UnacceptableValue(found: raw.found) }
                var elements: [Element] = []
                for text in texts {
                    guard let element = parse(text.trimmed) else {
                        throw UnacceptableValue(found: RawSetting.quoted(text))
                    }
                    elements.append(element)
                }
                return elements
            },
            print: { .list($0.map(print)) })
    }
}

extension ConfigurationKind<HostPort> {
    static var address: Self {
        .scalar(
            type: "host:port",
            expectation: "host:port, such as 0.0.0.0:8080 or \"[::]:8080\"", parse: { HostPort($0) },
            print: \.description)
    }
}

extension ConfigurationKind<Int> {
    static func integer(_ range: ClosedRange<Int>, unit: String = "") -> Self {
        .scalar(
            type: "integer", unit: unit, range: "\(range.lowerBound) to \(range.upperBound)",
            expectation: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }, print: \.description)
    }
}

extension ConfigurationKind<Bool> {
    static var flag: Self {
        .scalar(
            type: "boolean", expectation: "true or false",
            parse: { text in
                switch text.lowercased() {
                case "true", "yes", "on": true
                case "false", "no", "off": false
                default: nil
                }
            }, print: \.description)
    }
}

extension ConfigurationKind where Value: RawRepresentable<String> & CaseIterable & Sendable {
    static var choice: Self {
        let names = Value.allCases.map(\.rawValue)
        return .scalar(
            type: "one of " + names.map { "`\($0)`" }.joined(separator: ", "),
            expectation: "one of " + names.joined(separator: ", "),
            parse: { Value(rawValue: $0) }, print: \.rawValue)
    }
}

extension String {
    /// Without blanks at either end.
    var trimmed: String {
        guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace })
        else {
            return ""
        }
        return String(self[start...end])
    }
}

import Basics
import Storage
import Usher

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
    /// Whether a list of one may be written without brackets, and an empty one as "".
    var mayBeSingle = false
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

extension ConfigurationKind<HostPort?> {
    /// An address, or nothing.
    static var addressOrEmpty: Self {
        .scalar(
            type: "host:port",
            expectation: "host:port, such as 0.0.0.0:8443 or \"[::]:8443\", or \"\"",
            parse: { text in text.isEmpty ? .some(nil) : HostPort(text).map { .some($0) } },
            print: { $0?.description ?? "" })
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

extension ConfigurationKind<String> {
    /// A folder or a file; anything but nothing.
    static var path: Self {
        .scalar(
            type: "path", expectation: "a path",
            parse: { $0.isEmpty || $0.utf8.contains(0) ? nil : $0 }, print: { $0 })
    }

    static var pathOrEmpty: Self {
        .scalar(
            type: "path", expectation: "a path, or \"\"", parse: { $0.utf8.contains(0) ? nil : $0 }, print: { $0 })
    }

    /// A host name or an address, or nothing.
    static var hostOrEmpty: Self {
        .scalar(
            type: "host", expectation: "a host name or an address, without a port",
            parse: { text in
                if text.isEmpty { return text }
                guard text.utf8.count <= 253 else { return nil }
                if text.contains(":") {
                    // An IPv6 address, with or without its brackets.
                    let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
                    return HostPort("[\(bare)]:0").map(\.host)
                }
                return text.utf8.allSatisfy(HostPort.isNameByte) ? text : nil
            }, print: { $0 })
    }

    /// What is put behind a stream's name, or nothing. It is no name of a rendition (`_360p`).
    static var nameSuffixOrEmpty: Self {
        .scalar(
            type: "suffix",
            expectation: "1 to 32 letters, digits and -_.~ that are no rendition's such as _360p, or \"\"",
            parse: { text in
                if text.isEmpty { return text }
                guard text.utf8.count <= 32, StreamAddress.isValidName("a" + text),
                    VideoName.source(of: "a" + text) == nil
                else { return nil }
                return text
            }, print: { $0 })
    }

    /// The value of `Access-Control-Allow-Origin`: `*`, one origin, or nothing.
    static var corsOrigin: Self {
        .scalar(
            type: "origin", expectation: "*, an origin such as https://www.example.com, or \"\"",
            parse: { text in
                if text.isEmpty || text == "*" { return text }
                return isWebAddress(text, withPath: false) ? text : nil
            }, print: { $0 })
    }

    /// The beginning of an http or https URL, without a slash at its end.
    static var webAddressOrEmpty: Self {
        .scalar(
            type: "URL", expectation: "a URL such as https://live.example.com, without a query, or \"\"",
            parse: { text in
                if text.isEmpty { return text }
                let address = text.hasSuffix("/") ? String(text.dropLast()) : text
                return isWebAddress(address, withPath: true) ? address : nil
            }, print: { $0 })
    }

    private static func isWebAddress(_ text: String, withPath: Bool) -> Bool {
        guard let colons = text.firstRange(of: "://"), ["http", "https"].contains(text[..<colons.lowerBound]) else {
            return false
        }
        let rest = text[colons.upperBound...]
        let host = rest.prefix { $0 != "/" }
        guard !host.isEmpty, rest.utf8.count <= 300, withPath || host.endIndex == rest.endIndex else { return false }
        return host.utf8.allSatisfy { HostPort.isNameByte($0) || ":[]".utf8.contains($0) }
            && rest[host.endIndex...].utf8.allSatisfy { HostPort.isNameByte($0) || "/~".utf8.contains($0) }
    }
}

extension ConfigurationKind<[String]> {
    /// Files; one may stand alone.
    static var paths: Self {
        var kind = list(
            of: "paths", expectation: "a path or a list of paths",
            parse: { $0.isEmpty || $0.utf8.contains(0) ? nil : $0 }, print: { $0 })
        kind.mayBeSingle = true
        return kind
    }
}

extension ConfigurationKind<[WildcardPattern]> {
    /// Names with `*` for any run of characters.
    static var patterns: Self {
        .list(
            of: "patterns", expectation: "a list of names, in which * stands for any run of characters",
            parse: { text in
                let isPattern = !text.isEmpty && text.utf8.count <= 255 && !text.contains(where: \.isWhitespace)
                return isPattern ? WildcardPattern(text) : nil
            }, print: \.description)
    }

    /// `app/stream`, either with `*`.
    static var streamPatterns: Self {
        .list(
            of: "app/stream patterns",
            expectation: """
                a list of app/stream, in which * stands for any run of characters, the app by the name it is published under \
                (demo-origin, not demo-live) and the stream without its instance
                """,
            parse: { text in
                guard text.utf8.count <= 512, canMatchStream(text) else { return nil }
                return WildcardPattern(text)
            }, print: \.description)
    }

    /// A pattern that no stream can match would leave open what it is meant to protect.
    private static func canMatchStream(_ pattern: String) -> Bool {
        let parts = pattern.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let app = parts.first, let stream = parts.last, !app.isEmpty, !stream.isEmpty,
            !pattern.contains(where: \.isWhitespace), AppName.published(app) == app
        else { return false }
        let isLive = ["-origin", "-chorigin"].contains(where: app.hasSuffix)
        guard isLive || app.hasSuffix("-vod") || app.contains("*") else { return false }
        // Names of streams hold no slash; paths of files may.
        return isNamePattern(app) && (!isLive || isNamePattern(stream))
    }

    private static func isNamePattern(_ text: String) -> Bool {
        let name = text.replacing("*", with: "")
        return name.isEmpty || StreamAddress.isValidName("a" + name)
    }
}

extension ConfigurationKind<[IPNetwork]> {
    static var networks: Self {
        .list(
            of: "CIDR blocks", expectation: "a list of networks, such as [10.0.0.0/8, \"fd00::/8\"]",
            parse: { IPNetwork($0) }, print: \.description)
    }
}

extension ConfigurationKind<Duration> {
    /// A length of time. A plain number counts `unit`; a unit after the number overrides it.
    static func duration(_ range: ClosedRange<Duration>, unit: DurationUnit = .seconds) -> Self {
        let words = "\(unit.text(range.lowerBound)) to \(unit.text(range.upperBound)) \(unit.rawValue)"
        return .scalar(
            type: "duration", unit: unit.rawValue, range: words,
            expectation: "a duration from \(words)",
            parse: { text in
                guard let value = DurationUnit.parse(text, plain: unit), range.contains(value) else { return nil }
                return value
            }, print: unit.text)
    }
}

extension ConfigurationKind<Int?> {
    /// A whole number, or the word `auto`, whose value is nil.
    static func integerOrAuto(_ range: ClosedRange<Int>) -> Self {
        let words = "\(range.lowerBound) to \(range.upperBound), or auto"
        return .scalar(
            type: "integer", range: words, expectation: "a whole number from \(words)",
            parse: { text in
                if text == "auto" { return .some(nil) }
                return Int(text).flatMap { range.contains($0) ? .some($0) : nil }
            }, print: { $0.map { "\($0)" } ?? "auto" })
    }
}

extension ConfigurationKind<Int> {
    /// An amount of memory: `16MiB`, `1 GB`, `65536`.
    static func bytes(_ range: ClosedRange<Int>) -> Self {
        let words = "\(ByteCount.text(range.lowerBound)) to \(ByteCount.text(range.upperBound))"
        return .scalar(
            type: "bytes", unit: "bytes", range: words,
            expectation: "a number of bytes from \(words)",
            parse: { text in ByteCount.parse(text).flatMap { range.contains($0) ? $0 : nil } }, print: ByteCount.text)
    }
}

extension ConfigurationKind<Int> {
    /// An amount of memory, or the word `auto`, whose value is 0.
    static func bytesOrAuto(_ range: ClosedRange<Int>) -> Self {
        let words = "\(ByteCount.text(range.lowerBound)) to \(ByteCount.text(range.upperBound))"
        return .scalar(
            type: "bytes", unit: "bytes", range: "\(words), or auto",
            expectation: "a number of bytes from \(words), or auto",
            parse: { text in
                text == "auto" ? 0 : ByteCount.parse(text).flatMap { range.contains($0) ? $0 : nil }
            }, print: { $0 == 0 ? "auto" : ByteCount.text($0) })
    }
}

/// The units a duration may be written in.
enum DurationUnit: String, Sendable, CaseIterable {
    case milliseconds = "ms"
    case seconds = "s"
    case minutes = "min"
    case hours = "h"
    case days = "d"

    var inMilliseconds: Int64 {
        switch self {
        case .milliseconds: 1
        case .seconds: 1000
        case .minutes: 60_000
        case .hours: 3_600_000
        case .days: 86_400_000
        }
    }

    /// The number of these units, without the unit.
    @Sendable func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        // Durations here come from tables and checked settings; a thousand years would still fit.
        let milliseconds = seconds &* 1000 &+ attoseconds / 1_000_000_000_000_000
        let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: inMilliseconds)
        return rest == 0 ? "\(whole)" : "\(Double(milliseconds) / Double(inMilliseconds))"
    }

    /// `2`, `0.5`, `500ms`, `2 min`, to the millisecond; nil when it is no such text or longer than ten thousand days.
    static func parse(_ text: String, plain: DurationUnit) -> Duration? {
        guard let (number, suffix) = NumberWithUnit.split(text) else { return nil }
        let unit: DurationUnit
        if suffix.isEmpty {
            unit = plain
        } else if let named = DurationUnit(rawValue: suffix) {
            unit = named
        } else {
            return nil
        }
        let milliseconds = (number * Double(unit.inMilliseconds)).rounded()
        guard milliseconds <= 10_000 * 86_400_000 else { return nil }
        return .milliseconds(Int64(milliseconds))
    }
}

/// Numbers of bytes, as people write them.
enum ByteCount {
    private static let units: [(name: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("TiB", 1 << 40), ("kB", 1000), ("KB", 1000),
        ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
    ]

    /// In the largest binary unit that leaves no remainder.
    @Sendable static func text(_ bytes: Int) -> String {
        for unit in units.prefix(3) where bytes >= unit.bytes && bytes % unit.bytes == 0 {
            return "\(bytes / unit.bytes)\(unit.name)"
        }
        return "\(bytes)"
    }

    static func parse(_ text: String) -> Int? {
        guard let (number, suffix) = NumberWithUnit.split(text) else { return nil }
        let scale: Int
        if suffix.isEmpty {
            scale = 1
        } else if let unit = units.first(where: { $0.name == suffix }) {
            scale = unit.bytes
        } else {
            return nil
        }
        let bytes = number * Double(scale)
        // Beyond 2^53 a Double is no longer exact; no machine has that much.
        guard bytes <= 0x1p53, bytes == bytes.rounded() else { return nil }
        return Int(bytes)
    }
}

/// Takes `12.5 MiB` apart.
enum NumberWithUnit {
    /// A number that is not negative and what follows it; nil when there is no number.
    static func split(_ text: String) -> (number: Double, unit: String)? {
        let digits = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        guard (1...18).contains(digits.utf8.count), digits.first != ".", digits.last != ".", let number = Double(digits)
        else { return nil }
        return (number, String(text[digits.endIndex...]).trimmed)
    }
}

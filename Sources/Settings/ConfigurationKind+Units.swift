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

/// A `Range` request over a body of known length (RFC 9110 §14).
enum ByteRange: Equatable {
    /// No range that we serve: the whole body with 200. Several ranges in one request count as none, which the RFC
    /// allows and no player misses.
    case whole
    case part(Range<Int>)
    /// 416.
    case unsatisfiable

    static func parse(_ field: String?, length: Int) -> ByteRange {
        guard let field, field.utf8.count <= 64 else { return .whole }
        let text = field.trimmed
        guard text.lowercased().hasPrefix("bytes=") else { return .whole }
        let parts = text.dropFirst(6).trimmed.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = number(parts[0]), let last = number(parts[1]) else { return .whole }
        switch (first, last) {
        case (.absent, .absent):
            return .whole
        case (.absent, .value(let count)):
            guard count > 0, length > 0 else { return .unsatisfiable }
            return .part(max(0, length - min(count, length))..<length)
        case (.value(let start), .absent):
            return start < length ? .part(start..<length) : .unsatisfiable
        case (.value(let start), .value(let end)):
            guard start <= end else { return .whole }
            // The end is inclusive; it is below `length` before one is added.
            return start < length ? .part(start..<(min(end, length - 1) + 1)) : .unsatisfiable
        }
    }

    private enum Number {
        case absent
        case value(Int)
    }

    /// nil when it is no number; numbers past Int's range are as good as its largest.
    private static func number(_ text: Substring) -> Number? {
        guard !text.isEmpty else { return .absent }
        guard text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) else { return nil }
        return .value(Int(text) ?? Int.max)
    }
}

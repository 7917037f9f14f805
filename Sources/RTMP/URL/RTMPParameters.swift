import Basics

/// Query parameters in their order, percent-decoded. A `+` stays a `+`, because Adobe authentication sends base64 that is not
/// percent-encoded.
public typealias RTMPParameters = NameValueList<String>

extension RTMPParameters {
    /// Parameters beyond this many are not looked at.
    private static let maximumCount = 64

    /// - Parameter query: `a=1&b=2`, without the question mark. A second `?` separates parameters like `&`, because encoders
    ///   append `?authmod=…` to applications that have a query already. A parameter without `=` has an empty value.
    public init(query: some StringProtocol) {
        let parts = query.utf8.split(
            maxSplits: RTMPParameters.maximumCount,
            whereSeparator: { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: "?") })
        self.init(
            parts.prefix(RTMPParameters.maximumCount).map { part in
                // Only the first = separates: base64 may end with others.
                let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
                return Member(
                    PercentCoding.lenientText(of: part[..<equals]),
                    PercentCoding.lenientText(of: part[equals...].dropFirst()))
            })
    }

    /// Splits at the first `?`. The query is nil when there is no `?`.
    static func split(_ text: String) -> (path: String, query: String?) {
        guard let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (text, nil) }
        return (String(text[..<mark]), String(text[text.utf8.index(after: mark)...]))
    }
}

/// Negotiation of `Content-Encoding` (RFC 9110 §12.5.3).
enum ContentCoding {
    /// Whether the client takes gzip and does not like the plain bytes better.
    ///
    /// - Parameter acceptEncoding: the values of all `Accept-Encoding` fields, in order.
    static func prefersGzip(_ acceptEncoding: [String]) -> Bool {
        var gzip: Int?
        var any: Int?
        var identity: Int?
        for field in acceptEncoding {
            for element in field.split(separator: ",").prefix(maximumElements) {
                let parts = element.split(separator: ";", omittingEmptySubsequences: false)
                guard let name = parts.first else { continue }
                let weight = parts.dropFirst().lazy.compactMap(weight).first ?? 1_000
                switch name.trimmed.lowercased() {
                case "gzip", "x-gzip": gzip = max(gzip ?? 0, weight)
                case "*": any = weight
                case "identity": identity = weight
                default: break
                }
            }
        }
        guard let weight = gzip ?? any else { return false }
        return weight > 0 && weight >= identity ?? 0
    }

    private static let maximumElements = 32

    /// `q=0.8` in thousandths; nil for another parameter, 0 for a value that is none.
    private static func weight(_ parameter: Substring) -> Int? {
        let text = parameter.trimmed
        guard text.hasPrefix("q=") || text.hasPrefix("Q=") else { return nil }
        let digits = text.utf8.dropFirst(2)
        guard let whole = digits.first, whole == UInt8(ascii: "0") || whole == UInt8(ascii: "1") else { return 0 }
        var value = whole == UInt8(ascii: "1") ? 1_000 : 0
        guard digits.count > 1 else { return value }
        guard digits.dropFirst().first == UInt8(ascii: "."), digits.count <= 5 else { return 0 }
        var scale = 100
        for digit in digits.dropFirst(2) {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return 0 }
            value += Int(digit - UInt8(ascii: "0")) * scale
            scale /= 10
        }
        return value <= 1_000 ? value : 0
    }
}

extension StringProtocol {
    /// Without spaces and tabs around it (HTTP's optional white space).
    var trimmed: SubSequence {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let start = firstIndex(where: { !isBlank($0) }), let end = lastIndex(where: { !isBlank($0) }) else {
            return self[endIndex...]
        }
        return self[start...end]
    }
}

/// Entity tags and the conditions that name them (RFC 9110 §8.8.3, §13.1).
enum EntityTag {
    /// The tag of the same content in gzip: another representation needs another strong tag.
    static func gzip(_ tag: String) -> String {
        tag.hasSuffix("\"") ? "\(tag.dropLast())-gz\"" : tag
    }

    /// Whether `If-None-Match` names `tag`, compared weakly as it asks for, so that a proxy which weakened the tag
    /// still gets its 304.
    static func isNamed(_ tag: String, byIfNoneMatch field: String) -> Bool {
        var rest = field.utf8.prefix(maximumLength)[...]
        let quote = UInt8(ascii: "\"")
        let wanted = tag.utf8
        if field.trimmed == "*" { return true }
        while let start = rest.firstIndex(of: quote) {
            guard let end = rest[rest.index(after: start)...].firstIndex(of: quote) else { return false }
            if rest[start...end].elementsEqual(wanted) { return true }
            rest = rest[rest.index(after: end)...]
        }
        return false
    }

    private static let maximumLength = 4_096
}

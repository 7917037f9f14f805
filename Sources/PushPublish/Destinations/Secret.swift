/// How secrets are shown.
public enum Secret {
    /// `****` and the last four characters; of one shorter than eight nothing is shown, since four would be most of it.
    public static func masked(_ text: String) -> String {
        text.isEmpty ? "" : "****" + (text.count >= 8 ? String(text.suffix(4)) : "")
    }

    /// Text that came from a destination, fit to be shown and logged: secrets masked, control characters gone, at most
    /// 240 characters.
    public static func redacted(_ text: String, hiding secrets: [String]) -> String {
        var shown = text
        // Longest first: a secret may be part of another.
        for secret in secrets.sorted(by: { $0.utf8.count > $1.utf8.count }) where secret.utf8.count >= 3 {
            shown = replacing(secret, in: shown)
        }
        let printable = shown.unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? " " : Character(scalar)
        }
        return String(printable.prefix(240))
    }

    private static func replacing(_ secret: String, in text: String) -> String {
        var rest = text[...]
        var result = ""
        while let range = rest.firstRange(of: secret) {
            result += rest[..<range.lowerBound]
            result += masked(secret)
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}

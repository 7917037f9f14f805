/// How names of streams and paths of files compare (docs/decisions/0005-tickets.md).
public enum VideoName {
    /// Without the prefix by which players name a container: `mp4:`, `flv:` or `smil:`.
    public static func normalized(_ name: Substring) -> String {
        guard name.utf8.contains(UInt8(ascii: ":")) else { return String(name) }
        for prefix in ["mp4:", "flv:", "smil:"] where name.utf8.starts(with: prefix.utf8) {
            return String(decoding: name.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        }
        return String(name)
    }

    public static func normalized(_ name: String) -> String {
        name.utf8.contains(UInt8(ascii: ":")) ? normalized(name[...]) : name
    }

    /// The stream that `name` is only a form of: `S` for the rendition `S_360p` and for `S.smil`, which lists the
    /// renditions of `S`. nil when it is a form of nothing.
    public static func source(of name: String) -> String? {
        if name.utf8.count > 5, name.hasSuffix(".smil") {
            return String(name.dropLast(5))
        }
        guard name.utf8.last == UInt8(ascii: "p") else { return nil }
        let bytes = Array(name.utf8)
        guard let underscore = bytes.lastIndex(of: UInt8(ascii: "_")), underscore > 0 else { return nil }
        let digits = bytes[(underscore + 1)..<(bytes.count - 1)]
        guard (1...5).contains(digits.count),
            digits.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
        else { return nil }
        return String(decoding: bytes[..<underscore], as: UTF8.self)
    }

    /// Whether somebody who may watch `granted` may watch `name`: the same, or a form of it.
    public static func isSame(_ name: String, orFormOf granted: String) -> Bool {
        guard name != granted else { return true }
        let name = normalized(name)
        let granted = normalized(granted)
        return name == granted || source(of: name) == granted
    }
}

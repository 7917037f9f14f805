import Basics

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

    /// The stream that `name` is only a form of: `S` for the renditions `S_360p` and `S_audio_de`, and for `S.smil`, which lists the
    /// renditions of `S`. nil when it is a form of nothing.
    public static func source(of name: String) -> String? {
        if name.utf8.count > 5, name.hasSuffix(".smil") {
            return String(name.dropLast(5))
        }
        let bytes = name.utf8
        guard let underscore = bytes.lastIndex(of: UInt8(ascii: "_")), underscore > bytes.startIndex else {
            return nil
        }
        let source = bytes[..<underscore]
        let rendition = bytes[bytes.index(after: underscore)...]
        if rendition.last == UInt8(ascii: "p") {
            let digits = rendition.dropLast()
            if (1...5).contains(digits.count), digits.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) {
                return String(source)
            }
        }
        guard LanguageTag.isSpelled(rendition), source.count > 6, source.suffix(6).elementsEqual("_audio".utf8) else {
            return nil
        }
        return String(source.dropLast(6))
    }

    /// Whether somebody who may watch `granted` may watch `name`: the same, or a form of it.
    public static func isSame(_ name: String, orFormOf granted: String) -> Bool {
        guard name != granted else { return true }
        let name = normalized(name)
        let granted = normalized(granted)
        return name == granted || source(of: name) == granted
    }
}

/// Names of languages (RFC 5646).
public enum LanguageTag {
    /// Whether a text is spelled like a language tag (RFC 5646): `de`, `pt-BR`, `zh-Hant-TW`.
    public static func isSpelled(_ text: some Collection<UInt8>) -> Bool {
        guard text.count <= 16 else { return false }
        var isFirst = true
        for part in text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false) {
            guard (isFirst ? 2...3 : 1...8).contains(part.count) else { return false }
            for byte in part {
                let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                guard isLetter || !isFirst && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                    return false
                }
            }
            isFirst = false
        }
        return true
    }
}

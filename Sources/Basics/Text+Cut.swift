extension String {
    /// The longest text from outside that is kept or printed where nothing else is said, in bytes.
    public static let maximumKeptBytes = 256

    /// What of a text from outside is kept: its first bytes, cut between characters' scalars, and without NUL, which ends text
    /// for databases and would take what follows along silently.
    public func cut(toBytes maximum: Int = String.maximumKeptBytes) -> String {
        let text = utf8.contains(0) ? replacing("\0", with: "\u{FFFD}") : self
        guard text.utf8.count > maximum else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: max(0, maximum))
        while end > text.startIndex, text.utf8[end] & 0b1100_0000 == 0b1000_0000 { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}

/// Texts from outside, wherever they are kept or printed.
extension StringProtocol {
    /// What of the text is kept: its first bytes, cut between Unicode scalars, and without NUL, which ends text for databases
    /// and would take what follows along silently.
    /// - Parameter maximum: bytes of UTF-8.
    public func cut(toBytes maximum: Int = String.maximumKeptBytes) -> String {
        let text = utf8.contains(0) ? String(self).replacing("\0", with: "\u{FFFD}") : String(self)
        guard text.utf8.count > maximum else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: Swift.max(0, maximum))
        // The first byte of a scalar is not of the form 10xxxxxx.
        while end > text.startIndex, text.utf8[end] & 0b1100_0000 == 0b1000_0000 { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}

extension String {
    /// The longest text from outside that is kept or printed where nothing else is said, in bytes.
    public static let maximumKeptBytes = 256
}

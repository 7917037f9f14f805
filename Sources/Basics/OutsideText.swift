/// Texts that come from outside, wherever they are kept or printed.
extension StringProtocol {
    /// The text cut to `limit` bytes of UTF-8, never inside a character of Unicode.
    public func cut(toBytes limit: Int = 256) -> String {
        guard utf8.count > limit else { return String(self) }
        var end = utf8.index(startIndex, offsetBy: limit)
        // The first byte of a scalar is not of the form 10xxxxxx.
        while end > startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(end, offsetBy: -1) }
        return String(self[..<end])
    }
}

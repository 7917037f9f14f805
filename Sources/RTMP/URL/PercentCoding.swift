/// RFC 3986 percent-encoding over UTF-8.
enum PercentCoding {
    /// Broken sequences stay as they are; invalid UTF-8 is repaired.
    static func decode(_ bytes: some Collection<UInt8>) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index != bytes.endIndex {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), let (value, after) = escape(bytes, after: index) {
                output.append(value)
                index = after
            } else {
                output.append(byte)
                index = bytes.index(after: index)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    static func decode(_ text: String) -> String {
        decode(text.utf8)
    }

    private static func escape<Bytes: Collection<UInt8>>(
        _ bytes: Bytes, after percent: Bytes.Index
    ) -> (UInt8, Bytes.Index)? {
        let first = bytes.index(after: percent)
        guard first != bytes.endIndex else { return nil }
        let second = bytes.index(after: first)
        guard second != bytes.endIndex, let high = digit(bytes[first]), let low = digit(bytes[second]) else {
            return nil
        }
        return (high << 4 | low, bytes.index(after: second))
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// Percent-encoding (RFC 3986 §2.1), the one reading of it for RTMP URLs, playback paths and API forms, and the one writing.
public enum PercentCoding {
    /// The bytes that the text stands for.
    /// - Parameter plusIsSpace: as in `application/x-www-form-urlencoded`. Elsewhere a `+` stays a `+`: passes are often
    ///   bare base64.
    /// - Returns: nil when an escape is broken.
    public static func bytes(of text: some Collection<UInt8>, plusIsSpace: Bool = false) -> [UInt8]? {
        decode(text, plusIsSpace: plusIsSpace, keepsBroken: false)
    }

    /// The text, nil when an escape is broken or the result is no UTF-8.
    @specialized(where Text == Substring.UTF8View)
    @specialized(where Text == UnsafeBufferPointer<UInt8>)
    public static func strictText<Text: Collection<UInt8>>(of text: Text) -> String? {
        // Most text has no escape, and this is asked several times for each request.
        let plain = text.withContiguousStorageIfAvailable { bytes in
            bytes.contains(UInt8(ascii: "%")) ? nil : String(validating: bytes, as: UTF8.self)
        }
        if case .some(.some(let plain)) = plain { return plain }
        return bytes(of: text).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The text as well as it can be read: broken escapes stay as they are, invalid UTF-8 is repaired.
    public static func lenientText(of text: some Collection<UInt8>) -> String {
        String(decoding: decode(text, plusIsSpace: false, keepsBroken: true) ?? [], as: UTF8.self)
    }

    /// The text with all but the unreserved characters (RFC 3986 §2.3) escaped: safe as one path segment, one query value
    /// and one value of a form.
    /// - Parameter kept: further ASCII characters that stay as they are.
    public static func encode(_ text: String, keeping kept: String = "") -> String {
        guard !text.utf8.allSatisfy({ isUnreserved($0) }) else { return text }
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if isUnreserved(byte) || kept.utf8.contains(byte) {
                output.append(byte)
            } else {
                output.append(contentsOf: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func decode<Text: Collection<UInt8>>(
        _ text: Text, plusIsSpace: Bool, keepsBroken: Bool
    ) -> [UInt8]? {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        var index = text.startIndex
        while index != text.endIndex {
            let byte = text[index]
            index = text.index(after: index)
            switch byte {
            case UInt8(ascii: "%"):
                let digits = text[index...].prefix(2).compactMap(Hexadecimal.value(of:))
                if digits.count == 2 {
                    output.append(digits[0] << 4 | digits[1])
                    index = text.index(index, offsetBy: 2)
                } else if keepsBroken {
                    output.append(byte)
                } else {
                    return nil
                }
            case UInt8(ascii: "+") where plusIsSpace:
                output.append(UInt8(ascii: " "))
            default:
                output.append(byte)
            }
        }
        return output
    }
}

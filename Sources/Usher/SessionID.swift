/// Ids of playback sessions. Only the server makes them; one it does not know is never adopted.
public enum SessionID {
    /// 27 characters of `A-Z a-z 0-9 - _`: 162 bits from `generator`.
    public static func make(using generator: inout some RandomNumberGenerator) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        while text.count < length {
            let bits = generator.next()
            for shift in stride(from: UInt64(0), to: 60, by: 6) where text.count < length {
                text.append(alphabet[Int(bits >> shift & 63)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// From the system's secure source.
    public static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return make(using: &generator)
    }

    /// Whether `text` could be one, so that nonsense need not be looked up or logged.
    public static func isWellFormed(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            bytes.count == length
                && bytes.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
    }

    /// Characters of every id.
    public static let length = 27
}

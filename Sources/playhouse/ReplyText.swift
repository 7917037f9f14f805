import Foundation

/// A reply of the API as text for people.
enum ReplyText {
    /// Breaks and indents JSON, one member or element per line, and writes `\/` as `/`. Everything else stays as it came, so
    /// replies of any size and members in their order. Text that is no JSON is not made worse.
    static func indented(_ text: String) -> String {
        var output: [UInt8] = []
        var depth = 0
        var isInString = false
        var isEscaped = false
        var opened = false
        func breakLine() {
            output.append(UInt8(ascii: "\n"))
            output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * 2))
        }
        for byte in text.utf8 {
            if isInString {
                if isEscaped, byte == UInt8(ascii: "/") { output.removeLast() }
                output.append(byte)
                if !isEscaped, byte == UInt8(ascii: "\"") { isInString = false }
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            if [0x20, 0x09, 0x0A, 0x0D].contains(byte) { continue }
            let closes = byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]")
            if closes {
                depth = max(0, depth - 1)
                if !opened { breakLine() }
            } else if opened {
                breakLine()
            }
            opened = false
            output.append(byte)
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                // Deeper than this nobody reads, and the blanks would outgrow the text.
                depth = min(depth + 1, 64)
                opened = true
            case UInt8(ascii: ","): breakLine()
            case UInt8(ascii: ":"): output.append(UInt8(ascii: " "))
            case UInt8(ascii: "\""): isInString = true
            default: break
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Whether the reply says `status` `success`; nil when it says nothing of the kind.
    static func isSuccess(_ text: String, isPHP: Bool) -> Bool? {
        if isPHP {
            if text.contains("s:6:\"status\";s:7:\"success\";") { return true }
            return text.contains("s:6:\"status\";s:7:\"failure\";") ? false : nil
        }
        let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return (object?["status"] as? String).map { $0 == "success" }
    }
}

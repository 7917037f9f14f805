import Basics

/// The string token of JSON.
enum JSONString {
    /// Reads the string that begins with the quote at `start`; gives its text and the position after its closing quote.
    static func parse(_ bytes: [UInt8], at start: Int) throws(JSONError) -> (text: String, end: Int) {
        var position = start + 1
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw JSONError(reason: .notUTF8, offset: start)
                }
                return (string, position + 1)
            case UInt8(ascii: "\\"):
                try escape(bytes, at: &position, into: &text)
            case 0..<0x20:
                throw JSONError(reason: .controlCharacter, offset: position)
            default:
                text.append(byte)
                position += 1
            }
        }
        throw JSONError(reason: .expected("the end of the string"), offset: position)
    }

    private static func escape(
        _ bytes: [UInt8], at position: inout Int, into text: inout [UInt8]
    ) throws(JSONError) {
        let start = position
        guard position + 1 < bytes.count else {
            throw JSONError(reason: .expected("an escape sequence"), offset: start)
        }
        position += 2
        switch bytes[start + 1] {
        case UInt8(ascii: "\""): text.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): text.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): text.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            let scalar = try scalar(bytes, at: &position, escape: start)
            text.append(contentsOf: Array(String(scalar).utf8))
        default:
            throw JSONError(reason: .expected("an escape sequence"), offset: start)
        }
    }

    /// The scalar of `\uXXXX`, or of a surrogate pair of them; `position` stands after the first `\u`.
    private static func scalar(
        _ bytes: [UInt8], at position: inout Int, escape start: Int
    ) throws(JSONError) -> Unicode.Scalar {
        let first = try hex(bytes, at: &position)
        if let scalar = Unicode.Scalar(first) {
            return scalar
        }
        guard first < 0xDC00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else {
            throw JSONError(reason: .unpairedSurrogate, offset: start)
        }
        position += 2
        let second = try hex(bytes, at: &position)
        // Both halves are 10 bits, so the sum is at most 0x10FFFF.
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else {
            throw JSONError(reason: .unpairedSurrogate, offset: start)
        }
        return scalar
    }

    private static func hex(_ bytes: [UInt8], at position: inout Int) throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count, let digit = Hexadecimal.value(of: bytes[position]) else {
                throw JSONError(reason: .expected("a hexadecimal digit"), offset: position)
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}

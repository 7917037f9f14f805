import NIOCore

extension AMFValue {
    /// The value as JSON without spaces.
    ///
    /// A date is its milliseconds, a byte array Base64; what JSON has no word for is null.
    /// - Parameter limit: bytes of the text.
    /// - Returns: nil when it would be longer. No more than that is written, for references let a small message name a long text
    ///   thousands of times.
    public func json(upTo limit: Int) -> String? {
        var writer = JSONText(limit: limit)
        writer.write(self)
        return writer.isFull ? nil : String(decoding: writer.bytes, as: UTF8.self)
    }
}

private struct JSONText {
    let limit: Int
    var bytes: [UInt8] = []
    var isFull = false

    init(limit: Int) {
        self.limit = limit
    }

    mutating func write(_ value: AMFValue) {
        guard !isFull else { return }
        switch value {
        case .number(let number), .date(let number, _): append(JSONText.text(of: number))
        case .boolean(let flag): append(flag ? "true" : "false")
        case .string(let text), .xml(let text): write(text)
        case .null, .undefined: append("null")
        case .byteArray(let bytes):
            // As long as what Base64 makes of it, and not made for nothing.
            guard bytes.readableBytes <= limit else { return isFull = true }
            append("\"\(Base64.encode(Array(bytes.readableBytesView)))\"")
        case .strictArray(let values):
            append("[")
            for (index, value) in values.enumerated() {
                guard !isFull else { return }
                if index > 0 { append(",") }
                write(value)
            }
            append("]")
        case .object(let object), .ecmaArray(let object), .typedObject(_, let object):
            append("{")
            for (index, member) in object.members.enumerated() {
                guard !isFull else { return }
                if index > 0 { append(",") }
                write(member.name)
                append(":")
                write(member.value)
            }
            append("}")
        }
    }

    private mutating func append(_ text: String) {
        guard !isFull, bytes.count + text.utf8.count <= limit else { return isFull = true }
        bytes += text.utf8
    }

    private mutating func write(_ text: String) {
        guard text.utf8.count <= limit else { return isFull = true }
        append("\"")
        for byte in text.utf8 {
            guard bytes.count + 6 <= limit else { return isFull = true }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            default: bytes.append(byte)
            }
        }
        append("\"")
    }

    /// Whole numbers are written as such.
    private static func text(of number: Double) -> String {
        guard number.isFinite else { return "null" }
        if let whole = Int64(exactly: number), whole.magnitude < 1 << 53 { return "\(whole)" }
        return "\(number)"
    }
}

/// The fields of an `application/x-www-form-urlencoded` body (WHATWG URL §5.1), strict about percent signs.
struct URLEncodedForm {
    static let maximumFields = 64

    enum Problem: Error, Hashable {
        case tooManyFields
        case percentEncoding
    }

    static func parse(_ body: [UInt8]) throws(Problem) -> [MultipartForm.Field] {
        var fields: [MultipartForm.Field] = []
        let pairs = body.split(separator: UInt8(ascii: "&"), maxSplits: maximumFields)
        for pair in pairs {
            guard fields.count < maximumFields else { throw .tooManyFields }
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = try decode(pair[..<equals])
            fields.append(
                .init(name: String(decoding: name, as: UTF8.self), value: try decode(pair[equals...].dropFirst())))
        }
        return fields
    }

    private static func decode(_ text: ArraySlice<UInt8>) throws(Problem) -> [UInt8] {
        var bytes: [UInt8] = []
        var position = text.startIndex
        while position < text.endIndex {
            switch text[position] {
            case UInt8(ascii: "+"):
                bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard text.endIndex - position > 2, let high = HexDigit.value(text[position + 1]),
                    let low = HexDigit.value(text[position + 2])
                else { throw .percentEncoding }
                bytes.append(high << 4 | low)
                position += 2
            case let byte:
                bytes.append(byte)
            }
            position += 1
        }
        return bytes
    }
}

import Basics

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
        guard let bytes = PercentCoding.bytes(of: text, plusIsSpace: true) else { throw .percentEncoding }
        return bytes
    }
}

/// The text fields of a `multipart/form-data` body (RFC 7578, RFC 2046 §5.1.1).
///
/// A form here is one short field, so the parser is strict: CRLF line ends, a closing delimiter, one named
/// `Content-Disposition: form-data` a part, no transfer encodings, and few parts with short headers.
struct MultipartForm {
    static let maximumParts = 16
    static let maximumHeaderBytes = 4096

    struct Field: Sendable, Hashable {
        var name: String
        var value: [UInt8]
    }

    enum Problem: Error, Hashable {
        case boundary
        case noParts
        case unterminated
        case tooManyParts
        case partHeader
    }

    static func parse(_ body: [UInt8], boundary: String) throws(Problem) -> [Field] {
        guard isValid(boundary) else { throw .boundary }
        let delimiter = Array("--\(boundary)".utf8)
        let lineDelimiter = [0x0D, 0x0A] + delimiter
        // A preamble may stand before the first delimiter, which then begins a line.
        var position: Int
        if body.starts(with: delimiter) {
            position = delimiter.count
        } else if let first = body.firstRange(of: lineDelimiter, from: 0) {
            position = first.upperBound
        } else {
            throw .noParts
        }
        var fields: [Field] = []
        while !body[position...].starts(with: [0x2D, 0x2D]) {
            while position < body.count, body[position] == 0x20 || body[position] == 0x09 { position += 1 }
            guard body[position...].starts(with: [0x0D, 0x0A]) else { throw .unterminated }
            position += 2
            guard fields.count < maximumParts else { throw .tooManyParts }
            guard let next = body.firstRange(of: lineDelimiter, from: position) else { throw .unterminated }
            fields.append(try part(Array(body[position..<next.lowerBound])))
            position = next.upperBound
        }
        return fields
    }

    /// 1 to 70 characters of RFC 2046's set.
    private static func isValid(_ boundary: String) -> Bool {
        (1...70).contains(boundary.utf8.count)
            && boundary.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"):
                    true
                default: Array("'()+_,-./:=? ".utf8).contains(byte)
                }
            } && boundary.utf8.last != 0x20
    }

    private static func part(_ bytes: [UInt8]) throws(Problem) -> Field {
        guard let blank = bytes.firstRange(of: [0x0D, 0x0A, 0x0D, 0x0A], from: 0),
            blank.lowerBound <= maximumHeaderBytes,
            let text = String(validating: bytes[..<blank.lowerBound], as: UTF8.self)
        else { throw .partHeader }
        var name: String?
        for line in text.utf8.split(separator: 0x0D, omittingEmptySubsequences: false) {
            let line = line.first == 0x0A ? line.dropFirst() : line
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .partHeader }
            let header = String(decoding: line[..<colon], as: UTF8.self).trimmingSpaces.lowercased()
            let value = String(decoding: line[line.index(after: colon)...], as: UTF8.self).trimmingSpaces
            switch header {
            case "content-disposition":
                guard name == nil, let disposition = ContentType(value), disposition.type == "form-data",
                    let given = disposition.parameters["name"]
                else { throw .partHeader }
                name = given
            case "content-transfer-encoding":
                guard ["7bit", "8bit", "binary"].contains(value.lowercased()) else { throw .partHeader }
            default:
                break
            }
        }
        guard let name else { throw .partHeader }
        return Field(name: name, value: Array(bytes[blank.upperBound...]))
    }
}

extension [UInt8] {
    /// Where `pattern` (not empty) stands first at or after `start`.
    func firstRange(of pattern: [UInt8], from start: Int) -> Range<Int>? {
        guard let first = pattern.first, start >= 0 else { return nil }
        var position = start
        while position <= count - pattern.count {
            if self[position] == first, self[position..<(position + pattern.count)].elementsEqual(pattern) {
                return position..<(position + pattern.count)
            }
            position += 1
        }
        return nil
    }
}

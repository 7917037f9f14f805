/// A media type with its parameters, as in a `Content-Type` or `Content-Disposition` header (RFC 9110 §8.3.1, RFC
/// 2183).
struct ContentType: Sendable, Hashable {
    /// Lower-case.
    let type: String
    /// Names lower-case; the first of a repeated one.
    let parameters: [String: String]

    /// nil when the header is not well-formed.
    init?(_ header: String) {
        var scanner = Scanner(bytes: Array(header.utf8))
        let type = scanner.run { $0 != UInt8(ascii: ";") }
        var parameters: [String: String] = [:]
        while scanner.take(UInt8(ascii: ";")) {
            scanner.skipSpaces()
            if scanner.isAtEnd { break }
            let name = scanner.run { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
            guard !name.isEmpty, scanner.take(UInt8(ascii: "=")), let value = scanner.value() else { return nil }
            scanner.skipSpaces()
            guard parameters.count < 16 else { return nil }
            if parameters[name.lowercased()] == nil { parameters[name.lowercased()] = value }
        }
        guard scanner.isAtEnd else { return nil }
        self.type = type.trimmingSpaces.lowercased()
        self.parameters = parameters
    }

    private struct Scanner {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position >= bytes.count }

        mutating func take(_ byte: UInt8) -> Bool {
            guard !isAtEnd, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        mutating func skipSpaces() {
            while !isAtEnd, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
        }

        mutating func run(while accepts: (UInt8) -> Bool) -> String {
            let start = position
            while !isAtEnd, accepts(bytes[position]) { position += 1 }
            return String(decoding: bytes[start..<position], as: UTF8.self).trimmingSpaces
        }

        /// A token, or a quoted string in which a backslash takes a quote or a backslash literally.
        mutating func value() -> String? {
            guard take(UInt8(ascii: "\"")) else {
                let token = run { $0 != UInt8(ascii: ";") }
                return token.isEmpty || token.utf8.contains(UInt8(ascii: "\"")) ? nil : token
            }
            var text: [UInt8] = []
            while !isAtEnd {
                let byte = bytes[position]
                position += 1
                if byte == UInt8(ascii: "\"") { return String(validating: text, as: UTF8.self) }
                if byte == UInt8(ascii: "\\"), !isAtEnd,
                    bytes[position] == UInt8(ascii: "\"") || bytes[position] == UInt8(ascii: "\\")
                {
                    text.append(bytes[position])
                    position += 1
                } else {
                    text.append(byte)
                }
            }
            return nil
        }
    }
}

extension String {
    /// Without spaces and tabs at both ends.
    var trimmingSpaces: String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        let head = utf8.drop(while: isSpace)
        guard let last = head.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(decoding: head[...last], as: UTF8.self)
    }
}

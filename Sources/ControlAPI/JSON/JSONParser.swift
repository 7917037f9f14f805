import Basics

/// A strict RFC 8259 parser over UTF-8 bytes, with limits, that knows where the top-level members stand.
///
/// Stricter than the RFC where leniency would make a signature ambiguous: member names may not repeat in an object,
/// strings hold no unpaired surrogates, there is no byte order mark, and numbers beyond a double are refused.
public struct JSONParser {
    /// Arrays and objects within each other.
    public static let maximumDepth = 16
    /// Members of all objects and elements of all arrays together.
    public static let maximumMembers = 1000
    /// Characters of one number.
    static let maximumNumberLength = 128

    private let bytes: [UInt8]
    private var position = 0
    private var memberCount = 0
    private var spans: [JSONDocument.Span] = []

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Parses one value with nothing but white space around it.
    public static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONDocument {
        var parser = JSONParser(bytes)
        parser.skipWhiteSpace()
        let root = try parser.value(depth: 0)
        parser.skipWhiteSpace()
        guard parser.position == bytes.count else {
            throw parser.error(.expected("the end of the text"))
        }
        return JSONDocument(text: bytes, root: root, spans: parser.spans)
    }

    /// Parses a text known as a string.
    public static func parse(_ text: String) throws(JSONError) -> JSONDocument {
        try parse(Array(text.utf8))
    }

    // MARK: - Values

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        switch peek {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
        default: throw error(.expected("a value"))
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
        guard depth <= Self.maximumDepth else { throw error(.tooDeep) }
        position += 1
        skipWhiteSpace()
        var members: [JSONObject.Member] = []
        if take(UInt8(ascii: "}")) { return JSONObject() }
        var names: Set<String> = []
        while true {
            let start = position
            guard peek == UInt8(ascii: "\"") else { throw error(.expected("a member name")) }
            let name = try string()
            guard names.insert(name).inserted else {
                throw JSONError(reason: .duplicateName(name), offset: start)
            }
            try countMember()
            skipWhiteSpace()
            guard take(UInt8(ascii: ":")) else { throw error(.expected("a colon")) }
            skipWhiteSpace()
            members.append(.init(name, try value(depth: depth)))
            if depth == 1 {
                spans.append(JSONDocument.Span(name: name, range: start..<position))
            }
            skipWhiteSpace()
            if take(UInt8(ascii: "}")) { return JSONObject(members) }
            guard take(UInt8(ascii: ",")) else { throw error(.expected("a comma or the end of the object")) }
            skipWhiteSpace()
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        guard depth <= Self.maximumDepth else { throw error(.tooDeep) }
        position += 1
        skipWhiteSpace()
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            try countMember()
            elements.append(try value(depth: depth))
            skipWhiteSpace()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw error(.expected("a comma or the end of the array")) }
            skipWhiteSpace()
        }
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let word = String(describing: text)
        guard bytes[position...].starts(with: word.utf8) else { throw error(.expected("a value")) }
        position += word.utf8.count
        return value
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) {
            try digits()
        }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try digits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        guard position - start <= Self.maximumNumberLength else {
            throw JSONError(reason: .numberOutOfRange, offset: start)
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        // A negative zero is a double: as an integer it would lose its sign, and with it the text that was signed.
        if isInteger, text != "-0", let integer = Int64(text) {
            return .integer(integer)
        }
        guard let double = Double(text), double.isFinite else {
            throw JSONError(reason: .numberOutOfRange, offset: start)
        }
        return .number(JSONNumber(value: double, text: text))
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            position += 1
        }
        guard position > start else { throw error(.expected("a digit")) }
    }

    private mutating func string() throws(JSONError) -> String {
        let (text, end) = try JSONString.parse(bytes, at: position)
        position = end
        return text
    }

    // MARK: - Bytes

    private var peek: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipWhiteSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            position += 1
        }
    }

    private mutating func countMember() throws(JSONError) {
        memberCount += 1
        guard memberCount <= Self.maximumMembers else { throw error(.tooManyMembers) }
    }

    private func error(_ reason: JSONError.Reason) -> JSONError {
        JSONError(reason: reason, offset: position)
    }
}

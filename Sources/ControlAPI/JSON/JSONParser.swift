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

/// The string token of JSON.
private enum JSONString {
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

/// A parsed text, its bytes, and where the members of its top-level object stand in them.
public struct JSONDocument: Sendable {
    struct Span: Sendable, Hashable {
        var name: String
        /// From the opening quote of the name to the end of the value.
        var range: Range<Int>
    }

    /// The text as received.
    public let text: [UInt8]
    public let root: JSONValue
    let spans: [Span]

    /// The text without the top-level member `name`, every other byte unchanged; nil when there is no such member.
    ///
    /// The member goes with the comma before it, up to its own end; the first member goes with the comma after it, up
    /// to the next member. So the text a client had before it added the member comes back, wherever it put it.
    public func textRemoving(_ name: String) -> [UInt8]? {
        guard let index = spans.firstIndex(where: { $0.name == name }) else { return nil }
        var cut = spans[index].range
        if index > 0 {
            // Only white space and one comma stand between two members.
            let gap = spans[index - 1].range.upperBound..<cut.lowerBound
            let comma = gap.first { text[$0] == UInt8(ascii: ",") } ?? cut.lowerBound
            cut = comma..<cut.upperBound
        } else if spans.count > 1 {
            cut = cut.lowerBound..<spans[1].range.lowerBound
        }
        return Array(text[..<cut.lowerBound]) + text[cut.upperBound...]
    }
}

/// Why a text is not the JSON wanted, and at which byte.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable {
        /// What was expected there.
        case expected(String)
        case notUTF8
        case unpairedSurrogate
        case controlCharacter
        case numberOutOfRange
        case tooDeep
        case tooManyMembers
        case duplicateName(String)
    }

    public let reason: Reason
    /// From the first byte of the text, counted from 0.
    public let offset: Int

    public var description: String {
        let what =
            switch reason {
            case .expected(let something): "expected \(something)"
            case .notUTF8: "not UTF-8"
            case .unpairedSurrogate: "unpaired surrogate in a string"
            case .controlCharacter: "control character in a string"
            case .numberOutOfRange: "number out of range"
            case .tooDeep: "nested more than \(JSONParser.maximumDepth) deep"
            case .tooManyMembers: "more than \(JSONParser.maximumMembers) members"
            case .duplicateName(let name): "member \(name) stands twice"
            }
        return "\(what) at byte \(offset)"
    }
}

/// Reads short ASCII text from left to right. Whatever does not fit gives nil and moves nothing.
struct TextScanner {
    private var rest: ArraySlice<UInt8>

    init(_ text: some StringProtocol) {
        rest = Array(text.utf8)[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, UInt32(first) == character.value else { return false }
        rest = rest.dropFirst()
        return true
    }

    mutating func skipSpaces() {
        rest = rest.drop { $0 == UInt8(ascii: " ") }
    }

    /// How many decimal digits come next.
    func countDigits() -> Int {
        rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
    }

    /// Exactly `digits` (1-18) decimal digits.
    mutating func number(digits: Int) -> Int? {
        guard (1...18).contains(digits), countDigits() >= digits else { return nil }
        let value = rest.prefix(digits).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        rest = rest.dropFirst(digits)
        return value
    }

    /// The ASCII letters that come next, perhaps none.
    mutating func letters() -> String {
        let run = rest.prefix {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
        }
        rest = rest.dropFirst(run.count)
        return String(decoding: run, as: UTF8.self)
    }
}

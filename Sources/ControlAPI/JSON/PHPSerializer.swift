/// PHP's `serialize()`: what `unserialize` reads back as the array `json_decode($reply, true)` would give.
public enum PHPSerializer {
    public static func write(_ value: JSONValue) -> [UInt8] {
        var output: [UInt8] = []
        append(value, to: &output)
        return output
    }

    private static func append(_ value: JSONValue, to output: inout [UInt8]) {
        switch value {
        case .null: output.append(contentsOf: "N;".utf8)
        case .bool(let flag): output.append(contentsOf: "b:\(flag ? 1 : 0);".utf8)
        case .integer(let integer): output.append(contentsOf: "i:\(integer);".utf8)
        case .number(let number):
            output.append(contentsOf: "d:\(PHPDouble.text(number.value, exponent: "E"));".utf8)
        case .string(let text):
            output.append(contentsOf: "s:\(text.utf8.count):\"\(text)\";".utf8)
        case .array(let elements):
            output.append(contentsOf: "a:\(elements.count):{".utf8)
            for (index, element) in elements.enumerated() {
                output.append(contentsOf: "i:\(index);".utf8)
                append(element, to: &output)
            }
            output.append(UInt8(ascii: "}"))
        case .object(let object):
            output.append(contentsOf: "a:\(object.members.count):{".utf8)
            for member in object.members {
                append(key(member.name), to: &output)
                append(member.value, to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    /// PHP arrays have no text keys that look like integers: those are integers.
    private static func key(_ name: String) -> JSONValue {
        if let integer = Int64(name), String(integer) == name {
            return .integer(integer)
        }
        return .string(name)
    }
}

/// How PHP prints a double (`serialize_precision` -1): the fewest digits that give the same double back, in positional
/// notation while the decimal point stands within four zeros before or seventeen digits after, else with an exponent.
enum PHPDouble {
    /// `exponent` is `e` in `json_encode` and `E` in `serialize`.
    static func text(_ value: Double, exponent mark: String) -> String {
        if value == 0 {
            return value.sign == .minus ? "-0" : "0"
        }
        // Swift prints the shortest digits that round-trip as well; only the layout differs.
        var digits: [UInt8] = []
        var pointAfter = 0
        var hasPoint = false
        var exponent = 0
        let source = Array(value.magnitude.description.utf8)
        for (index, byte) in source.enumerated() {
            if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
                exponent = Int(String(decoding: source[(index + 1)...], as: UTF8.self)) ?? 0
                break
            }
            if byte == UInt8(ascii: ".") {
                hasPoint = true
                continue
            }
            digits.append(byte)
            pointAfter += hasPoint ? 0 : 1
        }
        let leadingZeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
        digits.removeFirst(leadingZeros)
        while digits.last == UInt8(ascii: "0") {
            digits.removeLast()
        }
        // The value is 0.DIGITS × 10^point.
        let point = pointAfter - leadingZeros + exponent
        let sign = value < 0 ? "-" : ""
        return sign + layOut(String(decoding: digits, as: UTF8.self), point: point, mark: mark)
    }

    private static func layOut(_ digits: String, point: Int, mark: String) -> String {
        let count = digits.utf8.count
        if point < -3 || point > 17 {
            let power = point - 1
            let fraction = count > 1 ? String(digits.dropFirst()) : "0"
            return "\(digits.prefix(1)).\(fraction)\(mark)\(power < 0 ? "-" : "+")\(abs(power))"
        }
        if point <= 0 {
            return "0." + String(repeating: "0", count: -point) + digits
        }
        if count <= point {
            return digits + String(repeating: "0", count: point - count)
        }
        return "\(digits.prefix(point)).\(digits.dropFirst(point))"
    }
}

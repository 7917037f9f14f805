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

import Basics

/// A JSON value that keeps what a signature needs kept: the order of members and the text of numbers.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// A number written without fraction and exponent that fits 64 bits.
    case integer(Int64)
    /// Every other number.
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// A double as PHP prints it.
    public static func double(_ value: Double) -> JSONValue {
        .number(JSONNumber(value))
    }

    public static func int(_ value: Int) -> JSONValue {
        .integer(Int64(value))
    }

    /// The text of a string; nil for every other kind.
    public var stringValue: String? {
        if case .string(let text) = self { text } else { nil }
    }

    public var objectValue: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    public var arrayValue: [JSONValue]? {
        if case .array(let values) = self { values } else { nil }
    }
}

/// A number that is not a 64-bit integer: its value, and its text as received.
public struct JSONNumber: Sendable, Hashable {
    public let value: Double
    /// The literal as it stood in the text; re-encodings that must not change numbers write this.
    public let text: String

    /// `text` must be a JSON number whose value is `value`.
    init(value: Double, text: String) {
        self.value = value
        self.text = text
    }

    /// JSON has no infinities and no NaN: they become 0, as in PHP's partial output.
    public init(_ value: Double) {
        let finite = value.isFinite ? value : 0
        self.value = finite
        self.text = PHPDouble.text(finite, exponent: "e")
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByFloatLiteral, ExpressibleByStringInterpolation
{
    public init(stringLiteral value: String) {
        self = .string(value)
    }

    public init(integerLiteral value: Int64) {
        self = .integer(value)
    }

    public init(booleanLiteral value: Bool) {
        self = .bool(value)
    }

    public init(nilLiteral: ()) {
        self = .null
    }

    public init(arrayLiteral elements: JSONValue...) {
        self = .array(elements)
    }

    public init(floatLiteral value: Double) {
        self = .double(value)
    }
}

/// The members of a JSON object in their order.
public typealias JSONObject = NameValueList<JSONValue>

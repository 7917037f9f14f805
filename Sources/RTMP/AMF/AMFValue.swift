import NIOCore

/// A value of AMF0 or AMF3 (Adobe's AMF 0 and AMF 3 specifications). Objects keep the order of their properties.
public indirect enum AMFValue: Sendable, Hashable {
    case number(Double)
    case boolean(Bool)
    /// Long strings too; invalid UTF-8 is repaired.
    case string(String)
    case object(AMFObject)
    /// An object of a named class.
    case typedObject(String, AMFObject)
    /// An associative array, as `onMetaData` uses.
    case ecmaArray(AMFObject)
    case strictArray([AMFValue])
    case null
    case undefined
    /// Milliseconds since 1970 UTC, and a time zone in minutes which nobody uses.
    case date(milliseconds: Double, timeZone: Int16)
    case xml(String)
    /// AMF3 only.
    case byteArray(ByteBuffer)

    public var number: Double? {
        if case .number(let value) = self { value } else { nil }
    }

    public var boolean: Bool? {
        switch self {
        case .boolean(let value): value
        case .number(let value): value != 0
        default: nil
        }
    }

    public var string: String? {
        switch self {
        case .string(let value), .xml(let value): value
        default: nil
        }
    }

    /// The properties of an object, typed object or ECMA array.
    public var object: AMFObject? {
        switch self {
        case .object(let value), .typedObject(_, let value), .ecmaArray(let value): value
        default: nil
        }
    }

    /// The elements of a strict array, or an ECMA array's values.
    public var array: [AMFValue]? {
        switch self {
        case .strictArray(let values): values
        case .ecmaArray(let object): object.properties.map(\.value)
        default: nil
        }
    }

    /// A property of an object; nil when there is none or this is no object.
    public subscript(key: String) -> AMFValue? {
        object?[key]
    }
}

extension AMFValue: ExpressibleByStringLiteral, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral
{
    public init(stringLiteral value: String) {
        self = .string(value)
    }

    public init(floatLiteral value: Double) {
        self = .number(value)
    }

    public init(integerLiteral value: Int) {
        self = .number(Double(value))
    }

    public init(booleanLiteral value: Bool) {
        self = .boolean(value)
    }
}

/// The properties of an AMF object, in the order of the wire.
public struct AMFObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// A named value.
    public struct Property: Sendable, Hashable {
        public var key: String
        public var value: AMFValue

        public init(_ key: String, _ value: AMFValue) {
            self.key = key
            self.value = value
        }
    }

    public var properties: [Property]

    public init(_ properties: [Property] = []) {
        self.properties = properties
    }

    public init(dictionaryLiteral elements: (String, AMFValue)...) {
        properties = elements.map { Property($0.0, $0.1) }
    }

    /// Reading gives the first property of that name; writing replaces it or appends; writing nil removes all of them.
    public subscript(key: String) -> AMFValue? {
        get {
            properties.first { $0.key == key }?.value
        }
        set {
            guard let newValue else {
                properties.removeAll { $0.key == key }
                return
            }
            if let index = properties.firstIndex(where: { $0.key == key }) {
                properties[index].value = newValue
            } else {
                properties.append(Property(key, newValue))
            }
        }
    }
}

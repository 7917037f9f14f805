import Basics
import NIOCore

/// A value of AMF0 or AMF3 (Adobe's AMF 0 and AMF 3 specifications). Objects keep the order of their members.
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

    /// The members of an object, typed object or ECMA array.
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
        case .ecmaArray(let object): object.members.map(\.value)
        default: nil
        }
    }

    /// A member of an object; nil when there is none or this is no object.
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

/// The members of an AMF object, in the order of the wire.
public typealias AMFObject = NameValueList<AMFValue>

extension AMFValue {
    /// About how many bytes of memory the value takes once it is kept or written out: its texts in full, however often they
    /// were given by reference, and 32 for each value and member. Never negative, and saturating.
    public var expandedSize: Int {
        let own = 32
        switch self {
        case .number, .boolean, .null, .undefined, .date: return own
        case .string(let text), .xml(let text): return own.addingSaturated(text.utf8.count)
        case .byteArray(let bytes): return own.addingSaturated(bytes.readableBytes)
        case .strictArray(let values): return values.reduce(own) { $0.addingSaturated($1.expandedSize) }
        case .object(let object), .ecmaArray(let object): return own.addingSaturated(object.expandedSize)
        case .typedObject(let name, let object):
            return own.addingSaturated(name.utf8.count).addingSaturated(object.expandedSize)
        }
    }

    /// An object with those of its members, in their order, that fit in `limit` bytes of ``expandedSize``; any other value that
    /// is larger than that becomes `undefined`. For what is kept of an encoder's metadata: a seek table of 200 KB is left
    /// out, width and height stay.
    public func keepingMembers(upTo limit: Int) -> AMFValue {
        switch self {
        case .object(let object): return .object(object.keepingMembers(upTo: limit - 32))
        case .ecmaArray(let object): return .ecmaArray(object.keepingMembers(upTo: limit - 32))
        case .typedObject(_, let object): return .object(object.keepingMembers(upTo: limit - 32))
        default: return expandedSize <= limit ? self : .undefined
        }
    }
}

extension AMFObject {
    /// See ``AMFValue/expandedSize``.
    public var expandedSize: Int {
        members.reduce(0) { $0.addingSaturated(AMFObject.size($1)) }
    }

    func keepingMembers(upTo limit: Int) -> AMFObject {
        var rest = limit
        return AMFObject(
            members.filter { member in
                let size = AMFObject.size(member)
                guard size <= rest else { return false }
                rest -= size
                return true
            })
    }

    private static func size(_ member: Member) -> Int {
        member.name.utf8.count.addingSaturated(member.value.expandedSize)
    }
}

import NIOCore

/// Reads AMF3 values, as far as commands hold them: everything but vectors, dictionaries and externalizable objects.
///
/// String and trait references are followed, and what they give counts as if it stood there: see
/// ``AMFLimits/maxTextBytes``. References to whole objects become `undefined`: following them would let a
/// few bytes describe a tree of any size.
struct AMF3Decoder: Sendable {
    private struct Traits: Sendable {
        var className: String
        var isDynamic: Bool
        var keys: [String]
    }

    private var buffer: ByteBuffer
    private let startDepth: Int
    private(set) var allowance: AMFAllowance
    private var strings: [String] = []
    private var traits: [Traits] = []

    init(_ buffer: ByteBuffer, allowance: AMFAllowance, depth: Int = 0) {
        self.buffer = buffer
        self.allowance = allowance
        startDepth = depth
    }

    var remaining: ByteBuffer {
        buffer
    }

    /// - Throws: as ``AMF0Decoder/decode()``.
    mutating func decode() throws(RTMPError) -> AMFValue {
        try value(depth: startDepth)
    }

    private mutating func value(depth: Int) throws(RTMPError) -> AMFValue {
        try allowance.enter(depth: depth)
        try allowance.take(values: 1)
        switch try byte() {
        case 0x00: return .undefined
        case 0x01: return .null
        case 0x02: return .boolean(false)
        case 0x03: return .boolean(true)
        case 0x04: return .number(Double(signed(try u29())))
        case 0x05: return .number(try double())
        case 0x06: return .string(try string())
        case 0x07, 0x0B:
            guard let length = try inline() else { return .undefined }
            return .xml(try text(length))
        case 0x08:
            guard try inline() != nil else { return .undefined }
            return .date(milliseconds: try double(), timeZone: 0)
        case 0x09: return try array(depth: depth)
        case 0x0A: return try object(depth: depth)
        case 0x0C:
            guard let length = try inline() else { return .undefined }
            guard let bytes = buffer.readSlice(length: length) else { throw endsEarly() }
            return .byteArray(bytes)
        case let marker:
            throw RTMPError(.malformedAMF, "AMF3 marker \(marker) is unknown or not supported.")
        }
    }

    private mutating func array(depth: Int) throws(RTMPError) -> AMFValue {
        guard let length = try inline() else { return .undefined }
        var named = AMFObject()
        while true {
            let key = try string()
            if key.isEmpty { break }
            named.members.append(.init(key, try value(depth: depth + 1)))
        }
        guard length <= buffer.readableBytes else { throw endsEarly() }
        var elements: [AMFValue] = []
        for _ in 0..<length {
            elements.append(try value(depth: depth + 1))
        }
        guard !named.members.isEmpty else { return .strictArray(elements) }
        for (index, element) in elements.enumerated() {
            named.members.append(.init(String(index), element))
        }
        return .ecmaArray(named)
    }

    private mutating func object(depth: Int) throws(RTMPError) -> AMFValue {
        let header = try u29()
        guard header & 1 != 0 else { return .undefined }
        let traits = try objectTraits(header)
        try allowance.take(text: traits.className.utf8.count)
        var object = AMFObject()
        for key in traits.keys {
            try allowance.take(text: key.utf8.count)
            object.members.append(.init(key, try value(depth: depth + 1)))
        }
        while traits.isDynamic {
            let key = try string()
            if key.isEmpty { break }
            object.members.append(.init(key, try value(depth: depth + 1)))
        }
        return traits.className.isEmpty ? .object(object) : .typedObject(traits.className, object)
    }

    private mutating func objectTraits(_ header: UInt32) throws(RTMPError) -> Traits {
        guard header & 2 != 0 else {
            let index = Int(header >> 2)
            guard traits.indices.contains(index) else {
                throw RTMPError(.malformedAMF, "AMF3 refers to traits that are not there.")
            }
            return traits[index]
        }
        guard header & 4 == 0 else {
            throw RTMPError(.malformedAMF, "AMF3 externalizable objects are not supported.")
        }
        var new = Traits(className: try string(), isDynamic: header & 8 != 0, keys: [])
        let keys = Int(header >> 4)
        // Every key takes a byte at least, and so does its value.
        guard keys <= buffer.readableBytes else { throw endsEarly() }
        try allowance.take(values: keys)
        for _ in 0..<keys {
            new.keys.append(try string())
        }
        traits.append(new)
        return new
    }

    private mutating func string() throws(RTMPError) -> String {
        let header = try u29()
        guard header & 1 != 0 else {
            let index = Int(header >> 1)
            guard strings.indices.contains(index) else {
                throw RTMPError(.malformedAMF, "AMF3 refers to a string that is not there.")
            }
            // The text takes memory once, but each time it is written out it is there in full.
            try allowance.take(text: strings[index].utf8.count)
            return strings[index]
        }
        let string = try text(Int(header >> 1))
        if !string.isEmpty { strings.append(string) }
        return string
    }

    /// - Returns: the length or count of a value that stands here, nil for a reference to an earlier one.
    private mutating func inline() throws(RTMPError) -> Int? {
        let header = try u29()
        return header & 1 == 0 ? nil : Int(header >> 1)
    }

    private mutating func text(_ length: Int) throws(RTMPError) -> String {
        guard let string = buffer.readString(length: length) else { throw endsEarly() }
        try allowance.take(text: length)
        return string
    }

    /// A 29-bit integer in one to four bytes; the fourth has eight bits.
    private mutating func u29() throws(RTMPError) -> UInt32 {
        var result: UInt32 = 0
        for _ in 0..<3 {
            let next = try byte()
            result = result << 7 | UInt32(next & 0x7F)
            if next & 0x80 == 0 { return result }
        }
        return result << 8 | UInt32(try byte())
    }

    private func signed(_ value: UInt32) -> Int32 {
        Int32(bitPattern: value << 3) >> 3
    }

    private mutating func double() throws(RTMPError) -> Double {
        guard let bits = buffer.readInteger(as: UInt64.self) else { throw endsEarly() }
        return Double(bitPattern: bits)
    }

    private mutating func byte() throws(RTMPError) -> UInt8 {
        guard let value = buffer.readInteger(as: UInt8.self) else { throw endsEarly() }
        return value
    }

    private func endsEarly() -> RTMPError {
        RTMPError(.malformedAMF, "AMF3 ends inside a value.")
    }
}

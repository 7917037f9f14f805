import NIOCore

/// Reads the byte-aligned fields of a configuration record; a record cut short is an error.
struct BoxFieldReader {
    private(set) var bytes: ByteBuffer
    let structure: String

    init(_ bytes: ByteBuffer, structure: String) {
        self.bytes = bytes
        self.structure = structure
    }

    func failure(_ reason: String) -> MediaParseError {
        MediaParseError(structure, reason)
    }

    mutating func integer<T: FixedWidthInteger>(
        _ type: T.Type, endianness: Endianness = .big
    ) throws(MediaParseError) -> T {
        guard let value = bytes.readInteger(endianness: endianness, as: T.self) else {
            throw failure("ends too early")
        }
        return value
    }

    mutating func uint8() throws(MediaParseError) -> UInt8 {
        try integer(UInt8.self)
    }

    mutating func skip(_ count: Int) throws(MediaParseError) {
        guard bytes.readableBytes >= count else { throw failure("ends too early") }
        bytes.moveReaderIndex(forwardBy: count)
    }

    /// `count` NAL units, each preceded by its length in 2 bytes, sharing the record's bytes.
    mutating func nalUnits(count: Int) throws(MediaParseError) -> [ByteBuffer] {
        var units: [ByteBuffer] = []
        for _ in 0..<count {
            let length = Int(try integer(UInt16.self))
            guard let unit = bytes.readSlice(length: length) else { throw failure("ends too early") }
            guard length > 0 else { throw failure("an empty parameter set") }
            units.append(unit)
        }
        return units
    }
}

extension ByteBuffer {
    /// Each set preceded by its length in 2 bytes.
    mutating func writeParameterSets(_ sets: [ByteBuffer], structure: String) throws(MediaParseError) {
        for set in sets {
            guard let length = UInt16(exactly: set.readableBytes), length > 0 else {
                throw MediaParseError(structure, "a parameter set of \(set.readableBytes) bytes")
            }
            writeInteger(length)
            writeImmutableBuffer(set)
        }
    }
}

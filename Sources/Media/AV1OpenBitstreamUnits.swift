import NIOCore

/// Walks the open bitstream units of AV1's low-overhead format (AV1 specification §5.3), without copying.
public struct AV1OpenBitstreamUnits: Sendable {
    /// OBU_SEQUENCE_HEADER.
    public static let sequenceHeader: UInt8 = 1
    /// OBU_TEMPORAL_DELIMITER.
    public static let temporalDelimiter: UInt8 = 2
    /// OBU_FRAME_HEADER.
    public static let frameHeader: UInt8 = 3
    /// OBU_METADATA.
    public static let metadata: UInt8 = 5

    /// One unit: its type and what stands behind its header.
    public struct Unit: Sendable, Equatable {
        /// 0 to 15.
        public let type: UInt8
        public let payload: ByteBuffer
    }

    private var rest: ByteBuffer

    public init(_ payload: ByteBuffer) {
        rest = payload
    }

    /// The next unit; nil at the end. A unit without a size field reaches to the end.
    public mutating func next() throws(MediaParseError) -> Unit? {
        guard let header = rest.readInteger(as: UInt8.self) else { return nil }
        guard header & 0x80 == 0 else { throw MediaParseError("AV1 OBU", "its forbidden bit is set") }
        if header & 0x04 != 0, rest.readInteger(as: UInt8.self) == nil {
            throw MediaParseError("AV1 OBU", "ends too early")
        }
        let size = header & 0x02 != 0 ? try readSize() : rest.readableBytes
        guard let payload = rest.readSlice(length: size) else {
            throw MediaParseError("AV1 OBU", "its size of \(size) bytes reaches past the end")
        }
        return Unit(type: header >> 3 & 0x0F, payload: payload)
    }

    /// A leb128 number below 2³².
    private mutating func readSize() throws(MediaParseError) -> Int {
        var value: UInt64 = 0
        for position in UInt64(0)..<8 {
            guard let byte = rest.readInteger(as: UInt8.self) else {
                throw MediaParseError("AV1 OBU", "ends too early")
            }
            value |= UInt64(byte & 0x7F) << (position * 7)
            if byte & 0x80 == 0 {
                guard value <= UInt64(UInt32.max) else { break }
                return Int(value)
            }
        }
        throw MediaParseError("AV1 OBU", "its size is over 32 bits")
    }
}

import NIOCore

/// Walks the NAL units of an access unit whose units are preceded by their length (ISO/IEC 14496-15), without copying.
///
/// A length that reaches past the end is an error. The units before it have been given out by then.
public struct LengthPrefixedNALUnits: Sendable {
    private let payload: ByteBuffer
    private let lengthSize: Int
    private var position: Int

    /// - Parameter lengthSize: bytes in each length: 1, 2 or 4 (3 is not allowed by the standard, but read all the same).
    public init(_ payload: ByteBuffer, lengthSize: Int) {
        self.payload = payload
        self.lengthSize = lengthSize
        self.position = payload.readerIndex
    }

    /// The place of the next unit within the payload, in the payload's own indices; nil at the end.
    /// Empty units are passed over.
    public mutating func nextRange() throws(MediaParseError) -> Range<Int>? {
        let end = payload.writerIndex
        while position < end {
            guard end - position >= lengthSize, let length = length(at: position) else {
                throw MediaParseError("NAL unit", "its length is cut short")
            }
            let start = position + lengthSize
            guard length <= end - start else {
                throw MediaParseError("NAL unit", "its length of \(length) bytes reaches past the end")
            }
            position = start + length
            if length > 0 {
                return start..<position
            }
        }
        return nil
    }

    /// The next unit, header included, sharing the payload's bytes; nil at the end.
    public mutating func next() throws(MediaParseError) -> ByteBuffer? {
        guard let range = try nextRange() else { return nil }
        return payload.getSlice(at: range.lowerBound, length: range.count)
    }

    private func length(at index: Int) -> Int? {
        switch lengthSize {
        case 1: payload.getInteger(at: index, as: UInt8.self).map { Int($0) }
        case 2: payload.getInteger(at: index, as: UInt16.self).map { Int($0) }
        case 3:
            payload.getInteger(at: index, as: UInt16.self).flatMap { high in
                payload.getInteger(at: index + 2, as: UInt8.self).map { Int(high) << 8 | Int($0) }
            }
        case 4: payload.getInteger(at: index, as: UInt32.self).map { Int($0) }
        default: nil
        }
    }
}

/// Walks the NAL units of a byte stream with start codes (ISO/IEC 14496-10 Annex B), without copying.
///
/// Bytes before the first start code are passed over, and so are zero bytes behind a unit.
public struct AnnexBNALUnits: Sendable {
    private let payload: ByteBuffer
    private var position: Int

    public init(_ payload: ByteBuffer) {
        self.payload = payload
        self.position = Self.startCode(in: payload, from: payload.readerIndex).map { $0 + 3 } ?? payload.writerIndex
    }

    /// The place of the next unit within the payload, in the payload's own indices; nil at the end.
    public mutating func nextRange() -> Range<Int>? {
        while position < payload.writerIndex {
            let start = position
            var end = payload.writerIndex
            if let code = Self.startCode(in: payload, from: start) {
                end = code
                position = code + 3
            } else {
                position = end
            }
            while end > start, payload.getInteger(at: end - 1, as: UInt8.self) == 0 {
                end -= 1
            }
            if end > start {
                return start..<end
            }
        }
        return nil
    }

    /// The next unit, header included, sharing the payload's bytes; nil at the end.
    public mutating func next() -> ByteBuffer? {
        guard let range = nextRange() else { return nil }
        return payload.getSlice(at: range.lowerBound, length: range.count)
    }

    /// Where the next `00 00 01` begins, at or after `index`.
    static func startCode(in payload: ByteBuffer, from index: Int) -> Int? {
        let offset = index - payload.readerIndex
        let found = payload.withUnsafeReadableBytes { bytes -> Int? in
            var at = offset + 2
            // No start code includes a byte above 1, so behind such a byte the search looks three bytes further on.
            while at < bytes.count {
                let byte = bytes[at]
                if byte > 1 {
                    at += 3
                } else if byte == 1 {
                    if bytes[at - 1] == 0, bytes[at - 2] == 0 {
                        return at - 2
                    }
                    at += 3
                } else {
                    at += 1
                }
            }
            return nil
        }
        return found.map { $0 + payload.readerIndex }
    }
}

import NIOCore

/// Writes messages as chunks whose bytes depend on nothing but the message and the chunk size.
///
/// The first chunk always has a full (type 0) header, so the bytes do not refer to anything sent before: they are made
/// once per stream and written as they are to every viewer and push.
public enum SharedChunks {
    /// The longest body a message can have: its length has 24 bits.
    public static let maximumBodySize = 0xFF_FFFF

    /// The bytes ``encode(_:timestamp:messageStreamID:body:chunkSize:into:)`` will write for a body of `bodySize`.
    public static func encodedSize(bodySize: Int, timestamp: UInt32, chunkSize: Int) -> Int {
        let extended = timestamp >= 0xFF_FFFF ? 4 : 0
        let size = max(1, chunkSize)
        let continuations = bodySize > 0 ? (bodySize - 1) / size : 0
        return 12 + extended + bodySize + continuations * (1 + extended)
    }

    /// Appends one message to `output`.
    ///
    /// - Parameters:
    ///   - timestamp: milliseconds modulo 2³²; at 0xFFFFFF and above it is written as extended timestamp, repeated in
    ///     every chunk as ffmpeg, librtmp and SRS expect.
    ///   - chunkSize: the connection's outgoing chunk size, usually ``RTMP/outgoingChunkSize``.
    /// - Returns: false, and nothing written, when the body is longer than ``maximumBodySize``.
    @discardableResult
    public static func encode(
        _ type: RTMPMessageType, timestamp: UInt32, messageStreamID: UInt32, body: ByteBuffer,
        chunkSize: Int = RTMP.outgoingChunkSize, into output: inout ByteBuffer
    ) -> Bool {
        let length = body.readableBytes
        guard length <= maximumBodySize else { return false }
        let chunk = max(1, chunkSize)
        let isExtended = timestamp >= 0xFF_FFFF
        let chunkStreamID = type.outgoingChunkStreamID
        output.reserveCapacity(
            minimumWritableBytes: encodedSize(bodySize: length, timestamp: timestamp, chunkSize: chunk))

        let field: UInt32 = isExtended ? 0xFF_FFFF : timestamp
        output.writeMultipleIntegers(chunkStreamID, UInt8(field >> 16), UInt16(truncatingIfNeeded: field))
        output.writeMultipleIntegers(
            UInt8(truncatingIfNeeded: length >> 16), UInt16(truncatingIfNeeded: length), type.rawValue)
        output.writeInteger(messageStreamID, endianness: .little)
        if isExtended { output.writeInteger(timestamp) }

        var rest = body
        while true {
            if let slice = rest.readSlice(length: min(chunk, rest.readableBytes)) {
                output.writeImmutableBuffer(slice)
            }
            guard rest.readableBytes > 0 else { return true }
            output.writeInteger(0xC0 | chunkStreamID)
            if isExtended { output.writeInteger(timestamp) }
        }
    }

    /// The timestamp of a message as ``encode(_:timestamp:messageStreamID:body:chunkSize:into:)`` wrote it, in milliseconds
    /// modulo 2³².
    /// - Parameter message: the message's bytes from its first header on. What follows it does not matter.
    /// - Returns: nil when the bytes do not begin with such a header.
    public static func timestamp(of message: ByteBuffer) -> UInt32? {
        FullHeader(message)?.timestamp
    }

    /// Appends a copy of an encoded message with another timestamp and message stream: for a peer that is given a timeline of
    /// its own, such as a push that starts at 0.
    ///
    /// The extended timestamp field (4 bytes in every chunk) comes and goes with the new timestamp: peers that do not know the
    /// field are not shown it.
    ///
    /// - Parameters:
    ///   - message: the bytes of exactly one message, as ``encode(_:timestamp:messageStreamID:body:chunkSize:into:)`` wrote
    ///     them.
    ///   - timestamp: of the copy, in milliseconds modulo 2³².
    ///   - messageStreamID: of the copy.
    ///   - chunkSize: the one that the message was encoded with.
    /// - Returns: false, and nothing written, when the bytes are not one message of this chunk size.
    @discardableResult
    public static func copy(
        _ message: ByteBuffer, timestamp: UInt32, messageStreamID: UInt32, chunkSize: Int = RTMP.outgoingChunkSize,
        into output: inout ByteBuffer
    ) -> Bool {
        guard let header = FullHeader(message) else { return false }
        let size = encodedSize(bodySize: header.length, timestamp: header.timestamp, chunkSize: chunkSize)
        guard message.readableBytes == size else { return false }
        let isExtended = timestamp >= 0xFF_FFFF
        let start = output.writerIndex
        if !header.isExtended, !isExtended {
            output.writeImmutableBuffer(message)
            header.patch(timestamp, messageStreamID, at: start, in: &output)
            return true
        }
        var rest = message
        output.reserveCapacity(
            minimumWritableBytes: encodedSize(bodySize: header.length, timestamp: timestamp, chunkSize: chunkSize))
        let dropped = header.isExtended ? 4 : 0
        var headerSize = 12
        var remaining = header.length
        repeat {
            let payload = min(remaining, max(1, chunkSize))
            guard let fixed = rest.readSlice(length: headerSize), rest.readSlice(length: dropped) != nil,
                let body = rest.readSlice(length: payload)
            else {
                assertionFailure("The size was checked.")
                output.moveWriterIndex(to: start)
                return false
            }
            output.writeImmutableBuffer(fixed)
            if isExtended { output.writeInteger(timestamp) }
            output.writeImmutableBuffer(body)
            remaining -= payload
            headerSize = 1
        } while remaining > 0
        header.patch(timestamp, messageStreamID, at: start, in: &output)
        return true
    }

    /// How much longer a tag of an FLV file is than its body: its header, and its length behind it.
    public static let tagOverhead = 15

    /// Appends an encoded message as tag of an FLV file, with its length behind it (FLV specification 10.1, annex E.3 and E.4).
    ///
    /// - Parameters:
    ///   - message: the bytes of exactly one message, as ``encode(_:timestamp:messageStreamID:body:chunkSize:into:)`` wrote them.
    ///   - timestamp: of the tag, in milliseconds modulo 2³².
    ///   - chunkSize: the one that the message was encoded with.
    /// - Returns: false, and nothing written, when the bytes are not one message of this chunk size.
    @discardableResult
    public static func copyAsTag(
        _ message: ByteBuffer, timestamp: UInt32, chunkSize: Int = RTMP.outgoingChunkSize, into output: inout ByteBuffer
    ) -> Bool {
        guard let header = FullHeader(message),
            let type = message.getInteger(at: message.readerIndex + 7, as: UInt8.self),
            message.readableBytes
                == encodedSize(bodySize: header.length, timestamp: header.timestamp, chunkSize: chunkSize)
        else { return false }
        let start = output.writerIndex
        let extended = header.isExtended ? 4 : 0
        output.reserveCapacity(minimumWritableBytes: header.length + tagOverhead)
        output.writeInteger(UInt32(type) << 24 | UInt32(header.length))
        // The lower 24 bits of the timestamp, then the upper 8, then a stream id of 0.
        output.writeMultipleIntegers(timestamp << 8 | timestamp >> 24, UInt8(0), UInt16(0))
        var rest = message
        var headerSize = 12
        var remaining = header.length
        while remaining > 0 {
            let payload = min(remaining, max(1, chunkSize))
            guard rest.readSlice(length: headerSize + extended) != nil, let body = rest.readSlice(length: payload)
            else {
                assertionFailure("The size was checked.")
                output.moveWriterIndex(to: start)
                return false
            }
            output.writeImmutableBuffer(body)
            remaining -= payload
            headerSize = 1
        }
        output.writeInteger(UInt32(header.length + 11))
        return true
    }

    /// The full (type 0) header that begins each message, as far as a copy must know it.
    private struct FullHeader {
        var timestamp: UInt32
        var isExtended: Bool
        var length: Int

        init?(_ message: ByteBuffer) {
            let start = message.readerIndex
            // Our chunk stream ids fit a basic header of one byte: 2…63.
            guard let first = message.getInteger(at: start, as: UInt8.self), (2...63).contains(first),
                let word = message.getInteger(at: start, as: UInt32.self),
                let lengthAndType = message.getInteger(at: start + 4, as: UInt32.self), message.readableBytes >= 12
            else { return nil }
            let field = word & 0xFF_FFFF
            isExtended = field == 0xFF_FFFF
            length = Int(lengthAndType >> 8)
            guard isExtended else {
                timestamp = field
                return
            }
            guard let extended = message.getInteger(at: start + 12, as: UInt32.self) else { return nil }
            timestamp = extended
        }

        func patch(_ timestamp: UInt32, _ messageStreamID: UInt32, at index: Int, in output: inout ByteBuffer) {
            let field = min(timestamp, 0xFF_FFFF)
            output.setInteger(UInt8(field >> 16), at: index + 1)
            output.setInteger(UInt16(truncatingIfNeeded: field), at: index + 2)
            output.setInteger(messageStreamID, at: index + 8, endianness: .little)
        }
    }
}

/// Writes one connection's messages with its outgoing chunk size, which starts at 128 and changes with
/// ``setChunkSize(_:into:)``.
public struct ChunkEncoder: Sendable {
    /// The outgoing chunk size in bytes.
    public private(set) var chunkSize = RTMP.defaultChunkSize

    public init() {}

    /// Appends one message; see ``SharedChunks``.
    @discardableResult
    public func encode(_ message: RTMPMessage, into output: inout ByteBuffer) -> Bool {
        SharedChunks.encode(
            message.type, timestamp: message.timestamp, messageStreamID: message.streamID, body: message.body,
            chunkSize: chunkSize, into: &output)
    }

    /// Announces a chunk size and uses it from then on.
    public mutating func setChunkSize(_ size: Int, into output: inout ByteBuffer) {
        let size = max(1, min(size, 0xFF_FFFF))
        encode(ProtocolControlMessage.setChunkSize(UInt32(size)).message, into: &output)
        chunkSize = size
    }
}

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

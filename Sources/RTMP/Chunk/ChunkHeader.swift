import NIOCore

/// A chunk's basic header, message header and extended timestamp (RTMP 1.0 §5.3.1), as read from the wire.
struct ChunkHeader: Sendable {
    /// The longest one: 3 bytes basic, 11 bytes message header, 4 bytes extended timestamp.
    static let maximumSize = 18

    var format: UInt8
    var chunkStreamID: UInt32
    /// Bytes it takes on the wire.
    var size: Int
    /// Type 0: absolute timestamp; types 1, 2: difference. The extended value when there is one.
    var timestamp: UInt32 = 0
    var isExtended = false
    /// Types 0 and 1.
    var length = 0
    var type = RTMPMessageType(rawValue: 0)
    /// Type 0.
    var streamID: UInt32 = 0

    /// Reads a header at the buffer's reader index without consuming it.
    ///
    /// A type 3 chunk on a chunk stream with extended timestamps should repeat the extended field; ffmpeg, librtmp and
    /// SRS do, old Flash encoders and others do not. As servers do, the next four bytes are compared with what would
    /// be repeated – the last header's value, or the message's absolute timestamp, since peers differ on which of them
    /// it is after types 1 and 2 (SRS#4356) – and taken as payload when they are neither.
    /// - Returns: nil when more bytes are needed to tell.
    static func peek(_ buffer: ByteBuffer, streams: ChunkStreamTable) -> ChunkHeader? {
        let start = buffer.readerIndex
        let available = buffer.readableBytes
        guard available >= 1, let first = buffer.getInteger(at: start, as: UInt8.self) else { return nil }
        var header = ChunkHeader(format: first >> 6, chunkStreamID: UInt32(first & 0x3F), size: 1)
        switch header.chunkStreamID {
        case 0:
            guard let id = buffer.getInteger(at: start + 1, as: UInt8.self) else { return nil }
            header.chunkStreamID = 64 + UInt32(id)
            header.size = 2
        case 1:
            guard let id = buffer.getInteger(at: start + 1, endianness: .little, as: UInt16.self) else { return nil }
            header.chunkStreamID = 64 + UInt32(id)
            header.size = 3
        default:
            break
        }
        return header.peekMessageHeader(buffer, at: start + header.size, streams: streams)
    }

    private consuming func peekMessageHeader(
        _ buffer: ByteBuffer, at start: Int, streams: ChunkStreamTable
    ) -> ChunkHeader? {
        var offset = start
        if format == 3 {
            guard let index = streams.index(of: chunkStreamID), let extended = streams[index].extendedTimestamp else {
                return self
            }
            guard let next = buffer.getInteger(at: offset, as: UInt32.self) else { return nil }
            if next == extended || next == streams[index].timestamp {
                size += 4
            }
            return self
        }
        guard let word = buffer.getInteger(at: offset, as: UInt16.self),
            let low = buffer.getInteger(at: offset + 2, as: UInt8.self)
        else { return nil }
        timestamp = UInt32(word) << 8 | UInt32(low)
        offset += 3
        if format < 2 {
            guard let word = buffer.getInteger(at: offset, as: UInt16.self),
                let low = buffer.getInteger(at: offset + 2, as: UInt8.self),
                let type = buffer.getInteger(at: offset + 3, as: UInt8.self)
            else { return nil }
            length = Int(word) << 8 | Int(low)
            self.type = RTMPMessageType(rawValue: type)
            offset += 4
        }
        if format == 0 {
            guard let id = buffer.getInteger(at: offset, endianness: .little, as: UInt32.self) else { return nil }
            streamID = id
            offset += 4
        }
        if timestamp == 0xFF_FFFF {
            guard let extended = buffer.getInteger(at: offset, as: UInt32.self) else { return nil }
            timestamp = extended
            isExtended = true
            offset += 4
        }
        size += offset - start
        return self
    }
}

import NIOCore

/// A whole PES packet (ISO/IEC 13818-1 §2.4.3.6).
struct PESPacket {
    /// 33 bits; nil when the packet has no time stamp.
    let presentation: UInt64?
    /// 33 bits; nil when it equals the presentation time.
    let decode: UInt64?
    let payload: ByteBuffer

    /// Nil when the bytes are no PES packet of a track, or announce another length than they have.
    init?(_ packet: ByteBuffer) {
        var bytes = packet
        guard let start = bytes.readInteger(as: UInt32.self), start >> 8 == 1, Self.isTrack(UInt8(start & 0xFF)),
            let announced = bytes.readInteger(as: UInt16.self),
            announced == 0 || Int(announced) == bytes.readableBytes,
            let marker = bytes.readInteger(as: UInt8.self), marker & 0xC0 == 0x80,
            let flags = bytes.readInteger(as: UInt8.self), let length = bytes.readInteger(as: UInt8.self),
            var header = bytes.readSlice(length: Int(length))
        else { return nil }
        presentation = flags & 0x80 == 0 ? nil : Self.readTimestamp(&header)
        decode = flags & 0xC0 == 0xC0 ? Self.readTimestamp(&header) : nil
        payload = bytes
    }

    /// Whether packets with this stream_id have a header with time stamps: private_stream_1, audio, video and extended stream
    /// ids do.
    private static func isTrack(_ streamID: UInt8) -> Bool {
        streamID == 0xBD || (0xC0...0xEF).contains(streamID) || streamID == 0xFD
    }

    private static func readTimestamp(_ header: inout ByteBuffer) -> UInt64? {
        guard let high = header.readInteger(as: UInt8.self), let middle = header.readInteger(as: UInt16.self),
            let low = header.readInteger(as: UInt16.self)
        else { return nil }
        return UInt64(high >> 1 & 7) << 30 | UInt64(middle >> 1) << 15 | UInt64(low >> 1)
    }
}

import Media
import NIOCore

/// The header of a packetized elementary stream packet (ISO/IEC 13818-1 §2.4.3.6).
struct PESHeader {
    /// stream_id of the video track.
    static let video: UInt8 = 0xE0
    /// stream_id of MPEG audio, which includes AAC.
    static let audio: UInt8 = 0xC0
    /// private_stream_1, which carries Opus.
    static let privateStream: UInt8 = 0xBD

    let streamID: UInt8
    /// 33 bits.
    let presentation: UInt64
    /// Written only when it differs from the presentation timestamp.
    let decode: UInt64?

    init(streamID: UInt8, presentation: MediaTime, decode: MediaTime) {
        self.streamID = streamID
        self.presentation = TransportStream.timestamp(presentation)
        let stamp = TransportStream.timestamp(decode)
        self.decode = stamp == self.presentation ? nil : stamp
    }

    /// How many bytes the header takes.
    var length: Int {
        decode == nil ? 14 : 19
    }

    /// - Parameter payloadLength: bytes behind the header. nil leaves the length open, which is allowed for video only.
    func write(payloadLength: Int?, to packets: inout PacketWriter, into output: inout ByteBuffer) {
        packets.appendHeader(UInt32(0x100) | UInt32(streamID), into: &output)
        // The length counts the bytes behind its own field. Callers keep audio below 65,536 bytes.
        packets.appendHeader(UInt16(clamping: payloadLength.map { $0 + length - 6 } ?? 0), into: &output)
        // An access unit begins right behind the header.
        packets.appendHeader(UInt8(0x84), into: &output)
        packets.appendHeader(UInt8(decode == nil ? 0x80 : 0xC0), into: &output)
        packets.appendHeader(UInt8(decode == nil ? 5 : 10), into: &output)
        Self.write(presentation, prefix: decode == nil ? 2 : 3, to: &packets, into: &output)
        if let decode {
            Self.write(decode, prefix: 1, to: &packets, into: &output)
        }
    }

    /// 4 bits of prefix, then 3, 15 and 15 bits of the timestamp, each followed by a marker bit.
    private static func write(
        _ stamp: UInt64, prefix: UInt8, to packets: inout PacketWriter, into output: inout ByteBuffer
    ) {
        packets.appendHeader(prefix << 4 | UInt8(truncatingIfNeeded: stamp >> 29) & 0x0E | 1, into: &output)
        packets.appendHeader(UInt16(truncatingIfNeeded: stamp >> 14) & 0xFFFE | 1, into: &output)
        packets.appendHeader(UInt16(truncatingIfNeeded: stamp << 1) & 0xFFFE | 1, into: &output)
    }
}

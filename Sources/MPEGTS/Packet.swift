import NIOCore

/// One transport stream packet of 188 bytes (ISO/IEC 13818-1 §2.4.3.2), as far as a demultiplexer looks at it.
struct Packet {
    let pid: UInt16
    /// payload_unit_start_indicator.
    let isStart: Bool
    /// continuity_counter, 0 to 15.
    let counter: UInt8
    /// discontinuity_indicator.
    let isDiscontinuous: Bool
    /// Nil when the packet has no payload, or a scrambled one.
    let payload: ByteBuffer?

    /// Nil when the packet's sender marked it as damaged, or its adaptation field is longer than the packet.
    init?(_ packet: ByteBuffer) {
        var bytes = packet
        guard let header = bytes.readInteger(as: UInt32.self), header & 0x0080_0000 == 0 else { return nil }
        pid = UInt16(truncatingIfNeeded: header >> 8) & 0x1FFF
        isStart = header & 0x0040_0000 != 0
        counter = UInt8(truncatingIfNeeded: header) & 0x0F
        var discontinuity = false
        if header & 0x20 != 0 {
            guard let length = bytes.readInteger(as: UInt8.self), var field = bytes.readSlice(length: Int(length))
            else { return nil }
            discontinuity = (field.readInteger(as: UInt8.self) ?? 0) & 0x80 != 0
        }
        isDiscontinuous = discontinuity
        payload = header & 0x10 != 0 && header & 0xC0 == 0 && bytes.readableBytes > 0 ? bytes : nil
    }
}

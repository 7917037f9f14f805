import Media

/// The numbers of MPEG-TS (ISO/IEC 13818-1) that both directions share.
enum TransportStream {
    static let packetLength = 188
    static let syncByte: UInt8 = 0x47
    static let headerLength = 4
    /// Bytes of payload in a packet that has no adaptation field.
    static let payloadLength = packetLength - headerLength
    /// Ticks a second of PTS, DTS and the program clock reference's base.
    static let timescale: Int64 = 90_000
    /// PTS, DTS and clock reference have 33 bits.
    static let timestampMask: UInt64 = (1 << 33) - 1

    static let programAssociationPID: UInt16 = 0
    static let nullPID: UInt16 = 0x1FFF

    /// The 33-bit timestamp of a point in time.
    static func timestamp(_ time: MediaTime) -> UInt64 {
        UInt64(bitPattern: time.ticks(timescale: timescale)) & timestampMask
    }
}

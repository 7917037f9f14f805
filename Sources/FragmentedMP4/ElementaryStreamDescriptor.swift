import NIOCore

/// `esds`, the MPEG-4 elementary stream descriptor (ISO/IEC 14496-1 §7.2.6, 14496-14 §5.6).
enum ElementaryStreamDescriptor {
    /// - Parameters:
    ///   - objectType: the objectTypeIndication, 0x40 for AAC, 0x6B for MP3.
    ///   - specific: the DecoderSpecificInfo, at most 1,024 bytes.
    static func write(objectType: UInt8, specific: ByteBuffer?, into writer: inout BoxWriter) {
        // A descriptor is its tag, four bytes of length and the content.
        let specificLength = specific.map { 5 + $0.readableBytes } ?? 0
        let configurationLength = 13 + specificLength
        writer.fullBox("esds") { writer in
            header(tag: 0x03, length: 3 + 5 + configurationLength + 5 + 1, into: &writer)
            writer.write(UInt16(0))
            writer.write(UInt8(0))
            header(tag: 0x04, length: configurationLength, into: &writer)
            writer.write(objectType)
            // AudioStream, and the bit that is always one.
            writer.write(UInt8(0x15))
            // Buffer size and bit rates: unknown.
            writer.writeZeros(3 + 4 + 4)
            if let specific {
                header(tag: 0x05, length: specific.readableBytes, into: &writer)
                writer.write(specific)
            }
            header(tag: 0x06, length: 1, into: &writer)
            writer.write(UInt8(0x02))
        }
    }

    private static func header(tag: UInt8, length: Int, into writer: inout BoxWriter) {
        writer.write(tag)
        for shift in [21, 14, 7, 0] {
            writer.write(UInt8(truncatingIfNeeded: length >> shift & 0x7f | (shift > 0 ? 0x80 : 0)))
        }
    }
}

import NIOCore

/// The CRC-32 of program specific information (ISO/IEC 13818-1 annex A): the polynomial is 04C11DB7, not reflected, the first
/// value is all ones, and the result is not inverted. The CRC over a section that ends with its right checksum is zero.
enum SectionChecksum {
    private static let table: [UInt32] = (0..<256).map { byte in
        var value = UInt32(byte) << 24
        for _ in 0..<8 {
            value = value & 0x8000_0000 == 0 ? value << 1 : value << 1 ^ 0x04C1_1DB7
        }
        return value
    }

    static func compute(_ bytes: ByteBufferView) -> UInt32 {
        var value: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            value = value << 8 ^ table[Int(UInt8(truncatingIfNeeded: value >> 24) ^ byte)]
        }
        return value
    }
}

import NIOCore

/// Entity tags made from content.
enum ContentHash {
    /// A strong entity tag with its quotation marks: 64-bit FNV-1a and the length. It tells versions of one file apart;
    /// it is no protection against anybody.
    static func entityTag(of bytes: ByteBuffer) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes.readableBytesView {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return "\"\(String(hash, radix: 16))-\(String(bytes.readableBytes, radix: 16))\""
    }
}

/// Strong entity tags made of content (RFC 9110 §8.8.3).
public enum EntityHash {
    /// A tag with its quotation marks: 64-bit FNV-1a and the length. It tells versions of one file apart and is no
    /// protection against anybody.
    public static func tag(of bytes: UnsafeRawBufferPointer) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return "\"\(String(hash, radix: 16))-\(String(bytes.count, radix: 16))\""
    }
}

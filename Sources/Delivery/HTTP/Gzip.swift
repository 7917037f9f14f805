import CZlib
import NIOCore

/// Compresses small texts with zlib.
enum Gzip {
    /// The gzip form (RFC 1952) of `bytes`; nil when zlib has no memory for it.
    static func compress(_ bytes: ByteBuffer) -> ByteBuffer? {
        var stream = z_stream()
        // Window bits 15, and 16 for a gzip header. `deflateInit2` is a macro, which Swift does not see.
        let opened = deflateInit2_(
            &stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard opened == Z_OK else { return nil }
        defer { deflateEnd(&stream) }
        guard let length = UInt32(exactly: bytes.readableBytes) else { return nil }
        let bound = Int(deflateBound(&stream, UInt(length)))
        guard let capacity = UInt32(exactly: bound) else { return nil }
        var output = ByteBuffer()
        var isDone = false
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { target in
            bytes.withUnsafeReadableBytes { source in
                // zlib only reads through `next_in`; its type lacks the const. Both pointers are used in this call alone.
                stream.next_in = UnsafeMutablePointer(
                    mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
                stream.avail_in = length
                stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.avail_out = capacity
                isDone = deflate(&stream, Z_FINISH) == Z_STREAM_END
            }
            return isDone ? Int(capacity - stream.avail_out) : 0
        }
        return isDone ? output : nil
    }
}

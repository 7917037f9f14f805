import NIOCore

/// Writes bits, most significant first: what ``BitReader`` reads.
struct BitWriter {
    private(set) var bytes = ByteBuffer()
    private var current: UInt8 = 0
    private var bitsUsed = 0

    /// The low `count` bits of `value`, 0 to 32.
    mutating func write(_ value: UInt32, bits count: Int) {
        for position in stride(from: Swift.min(count, 32) - 1, through: 0, by: -1) {
            current = current << 1 | UInt8(truncatingIfNeeded: value >> UInt32(position) & 1)
            bitsUsed += 1
            if bitsUsed == 8 {
                bytes.writeInteger(current)
                current = 0
                bitsUsed = 0
            }
        }
    }

    /// Fills the byte that has been begun with zero bits.
    mutating func align() {
        if bitsUsed > 0 {
            write(0, bits: 8 - bitsUsed)
        }
    }
}

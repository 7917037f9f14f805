import Media
import NIOCore

/// Writes the packets of one PID. The writer is told the payload's length first. So it knows how much stuffing the last packet
/// needs, and copies each byte once, from its place in the unit into the stream.
struct PacketWriter: Sendable {
    let pid: UInt16
    /// The clock reference that the next packet with payload carries.
    private(set) var continuityCounter: UInt8 = 0
    /// The next packet says that its clock or counter does not continue the one before.
    var isDiscontinuous = false
    /// Payload bytes announced and not appended yet.
    private(set) var remaining = 0
    private var room = 0

    init(pid: UInt16) {
        self.pid = pid
    }

    /// Begins a payload of `length` bytes in a new packet. Exactly so many bytes must then be given to `append`.
    mutating func begin(
        length: Int, clock: MediaTime?, isRandomAccess: Bool, into output: inout ByteBuffer
    ) {
        output.reserveCapacity(
            minimumWritableBytes: (length / TransportStream.payloadLength + 2) * TransportStream.packetLength)
        remaining = length
        var flags: UInt8 = isRandomAccess ? 0x40 : 0
        flags |= isDiscontinuous ? 0x80 : 0
        isDiscontinuous = false
        startPacket(isFirst: true, flags: flags, clock: clock, into: &output)
    }

    /// Appends a field of a header, which lies in the first packet whole.
    mutating func appendHeader<T: FixedWidthInteger>(_ value: T, into output: inout ByteBuffer) {
        output.writeInteger(value)
        room -= MemoryLayout<T>.size
        remaining -= MemoryLayout<T>.size
    }

    /// Appends all readable bytes of `source`.
    mutating func append(_ source: ByteBuffer, into output: inout ByteBuffer) {
        append(source, range: source.readerIndex..<source.writerIndex, into: &output)
    }

    /// Appends the bytes of `source` at `range`, in its own indices, within its readable bytes.
    mutating func append(_ source: ByteBuffer, range: Range<Int>, into output: inout ByteBuffer) {
        let origin = source.readerIndex
        source.withUnsafeReadableBytes { bytes in
            var place = range.lowerBound - origin
            let end = min(range.upperBound - origin, bytes.count)
            while place < end {
                if room == 0 {
                    startPacket(isFirst: false, flags: 0, clock: nil, into: &output)
                }
                let count = min(room, end - place)
                guard count > 0 else { return }
                output.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[place..<place + count]))
                place += count
                room -= count
                remaining -= count
            }
        }
    }

    /// Writes a packet that has a clock reference and no payload. The continuity counter does not count it
    /// (ISO/IEC 13818-1 §2.4.3.3).
    mutating func writeClock(_ clock: MediaTime, into output: inout ByteBuffer) {
        remaining = 0
        startPacket(isFirst: false, flags: isDiscontinuous ? 0x80 : 0, clock: clock, into: &output)
        isDiscontinuous = false
    }

    /// Writes a packet's header, and an adaptation field that fills what the payload leaves free.
    private mutating func startPacket(
        isFirst: Bool, flags: UInt8, clock: MediaTime?, into output: inout ByteBuffer
    ) {
        var field = flags != 0 || clock != nil ? 2 : 0
        if clock != nil {
            field += 6
        }
        room = min(remaining, TransportStream.payloadLength - field)
        field = TransportStream.payloadLength - room

        output.writeInteger(TransportStream.syncByte)
        output.writeInteger((isFirst ? 0x4000 : 0) | pid)
        let control: UInt8 = (field > 0 ? 0x20 : 0) | (room > 0 ? 0x10 : 0)
        // A packet without payload repeats the counter of the packet before it.
        output.writeInteger(control | (room > 0 ? continuityCounter : (continuityCounter &- 1) & 0x0F))
        if room > 0 {
            continuityCounter = (continuityCounter &+ 1) & 0x0F
        }
        guard field > 0 else { return }
        // At most 184 - 1.
        output.writeInteger(UInt8(truncatingIfNeeded: field - 1))
        guard field > 1 else { return }
        output.writeInteger(flags | (clock != nil ? 0x10 : 0))
        var stuffing = field - 2
        if let clock {
            // 33 bits of base, 6 reserved bits, and 9 bits of extension, which are zero for a clock of 90 kHz.
            let base = TransportStream.timestamp(clock)
            output.writeInteger(UInt32(truncatingIfNeeded: base >> 1))
            output.writeInteger(UInt16(truncatingIfNeeded: (base & 1) << 15) | 0x7E00)
            stuffing -= 6
        }
        output.writeRepeatingByte(0xFF, count: stuffing)
    }
}

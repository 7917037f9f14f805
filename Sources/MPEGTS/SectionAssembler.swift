import NIOCore

/// Puts sections together from the payloads of their packets (ISO/IEC 13818-1 §2.4.4).
struct SectionAssembler: Sendable {
    /// Sections of program specific information are at most this long, header included.
    static let maximumLength = 1024

    /// What has come of a section: at most a whole section and one packet's payload.
    private var bytes = ByteBuffer()
    private var isCollecting = false

    /// Takes a packet's payload.
    /// - Returns: the sections that the payload completes and whose checksums are right.
    mutating func read(_ payload: ByteBuffer, isStart: Bool, damaged: inout Int) -> [ByteBuffer] {
        var sections: [ByteBuffer] = []
        guard isStart else {
            if isCollecting {
                bytes.writeImmutableBuffer(payload)
                collect(into: &sections, damaged: &damaged)
            }
            return sections
        }
        var rest = payload
        guard let pointer = rest.readInteger(as: UInt8.self), let tail = rest.readSlice(length: Int(pointer)) else {
            damaged += 1
            isCollecting = false
            return sections
        }
        if isCollecting {
            bytes.writeImmutableBuffer(tail)
            collect(into: &sections, damaged: &damaged)
        }
        bytes = ByteBuffer(bytes: rest.readableBytesView)
        isCollecting = true
        collect(into: &sections, damaged: &damaged)
        return sections
    }

    private mutating func collect(into sections: inout [ByteBuffer], damaged: inout Int) {
        // A section begins in a packet that says so, or right behind another section.
        defer {
            isCollecting = isCollecting && bytes.readableBytes > 0
            bytes.discardReadBytes()
        }
        while isCollecting, let header = bytes.getInteger(at: bytes.readerIndex, as: UInt16.self),
            let low = bytes.getInteger(at: bytes.readerIndex + 2, as: UInt8.self)
        {
            // Stuffing follows the last section.
            guard header >> 8 != 0xFF else {
                isCollecting = false
                return
            }
            let length = 3 + Int(header & 0x0F) << 8 + Int(low)
            guard length <= Self.maximumLength, length >= 12 else {
                damaged += 1
                isCollecting = false
                return
            }
            guard let section = bytes.readSlice(length: length) else { return }
            if SectionChecksum.compute(section.readableBytesView) == 0 {
                sections.append(section)
            } else {
                damaged += 1
            }
        }
    }
}

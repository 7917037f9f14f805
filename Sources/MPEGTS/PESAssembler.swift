import NIOCore

/// Puts a PES packet together from the payloads of its transport packets.
struct PESAssembler: Sendable {
    enum Outcome {
        case incomplete
        case complete(ByteBuffer)
        case tooLong
    }

    private var bytes = ByteBuffer()
    private var isOpen = false

    /// The packet's length as its header has it; nil before the header has come, and when it leaves the length open.
    private var announcedLength: Int? {
        guard let length = bytes.getInteger(at: bytes.readerIndex + 4, as: UInt16.self), length > 0 else { return nil }
        return 6 + Int(length)
    }

    mutating func begin() {
        bytes = ByteBuffer()
        isOpen = true
    }

    /// Appends a payload. It is left out when no packet has begun.
    mutating func append(_ payload: ByteBuffer, limit: Int) -> Outcome {
        guard isOpen else { return .incomplete }
        guard payload.readableBytes <= limit - bytes.readableBytes else {
            _ = abandon()
            return .tooLong
        }
        bytes.writeImmutableBuffer(payload)
        guard let length = announcedLength, bytes.readableBytes >= length,
            let whole = bytes.getSlice(at: bytes.readerIndex, length: length)
        else { return .incomplete }
        _ = abandon()
        return .complete(whole)
    }

    /// The bytes of the packet that ends here; nil when none has begun. A packet that announced more bytes than came is refused
    /// later, when its header is read.
    mutating func finish() -> ByteBuffer? {
        guard isOpen, bytes.readableBytes > 0 else { return nil }
        let whole = bytes
        _ = abandon()
        return whole
    }

    /// Drops the packet that has begun.
    /// - Returns: whether there was one.
    mutating func abandon() -> Bool {
        defer {
            bytes = ByteBuffer()
            isOpen = false
        }
        return isOpen
    }
}

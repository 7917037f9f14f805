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

    /// The packet's length by its header; nil while that is not there or leaves the length open.
    private var announcedLength: Int? {
        guard let length = bytes.getInteger(at: bytes.readerIndex + 4, as: UInt16.self), length > 0 else { return nil }
        return 6 + Int(length)
    }

    mutating func begin() {
        bytes = ByteBuffer()
        isOpen = true
    }

    /// Appends a payload; outside of a packet it is left out.
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

    /// What there is of the packet that ends here; nil when there is none. One that announced more than came is refused
    /// when its header is read.
    mutating func finish() -> ByteBuffer? {
        guard isOpen, bytes.readableBytes > 0 else { return nil }
        let whole = bytes
        _ = abandon()
        return whole
    }

    /// Drops the packet that is open; true when there was one.
    mutating func abandon() -> Bool {
        defer {
            bytes = ByteBuffer()
            isOpen = false
        }
        return isOpen
    }
}

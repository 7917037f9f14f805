import NIOCore

/// The client's side of the handshake (RTMP 1.0 §5.2). It uses the simple form, which every server accepts from a publisher.
public struct ClientHandshake: Sendable {
    private enum State: Sendable {
        case version, s1, s2, done
    }

    /// Whether S2 has been received. From then on both sides send messages.
    public var isDone: Bool {
        state == .done
    }

    private var state = State.version
    private var pending = ByteBuffer()
    private var random: HandshakeRandom

    /// - Parameter seed: for the filler bytes.
    public init(seed: UInt64) {
        random = HandshakeRandom(seed: seed)
    }

    /// Appends C0 and C1. Call it once, before anything else.
    public mutating func start(output: inout ByteBuffer) {
        output.writeInteger(UInt8(3))
        // Time zero, and version zero, which stands for the simple form.
        output.writeInteger(UInt64(0))
        output.writeBytes(random.bytes(DigestHandshake.size - 8))
    }

    /// Takes what belongs to the handshake from `input`, leaves the rest, and appends C2 when S1 is complete. The contents
    /// of S1 and S2 are not checked.
    /// - Throws: `handshakeVersion` on a first byte other than 3.
    public mutating func receive(_ input: inout ByteBuffer, output: inout ByteBuffer) throws(RTMPError) {
        if state == .version, let version = input.readInteger(as: UInt8.self) {
            guard version == 3 else { throw HandshakeVersion.error(version) }
            state = .s1
        }
        if state == .s1, let s1 = take(&input) {
            output.writeImmutableBuffer(s1)
            state = .s2
        }
        if state == .s2, take(&input) != nil {
            state = .done
        }
    }

    private mutating func take(_ input: inout ByteBuffer) -> ByteBuffer? {
        let missing = DigestHandshake.size - pending.readableBytes
        if let slice = input.readSlice(length: min(missing, input.readableBytes)) {
            pending.writeImmutableBuffer(slice)
        }
        guard pending.readableBytes == DigestHandshake.size else { return nil }
        defer { pending = ByteBuffer() }
        return pending
    }
}

import NIOCore

/// The server's side of the handshake (RTMP 1.0 §5.2). It answers in the simple form or with digests, whichever the client's
/// C1 has.
///
/// Bytes may be given to it in pieces of any size. RTMPE (version 6) is refused.
public struct ServerHandshake: Sendable {
    private enum State: Sendable {
        case version, c1, c2, done
    }

    /// Whether C2 has been received and messages follow.
    public var isDone: Bool {
        state == .done
    }

    /// Whether the client used the digest form; false until C1 has come.
    public private(set) var usesDigest = false

    private var state = State.version
    private var pending = ByteBuffer()
    private var random: HandshakeRandom

    /// - Parameter seed: for the filler bytes.
    public init(seed: UInt64) {
        random = HandshakeRandom(seed: seed)
    }

    /// Takes what belongs to the handshake from `input`, leaves the rest, and appends S0, S1 and S2 to `output` when C1
    /// is complete.
    /// - Throws: `handshakeVersion` on a first byte other than 3.
    public mutating func receive(_ input: inout ByteBuffer, output: inout ByteBuffer) throws(RTMPError) {
        if state == .version, let version = input.readInteger(as: UInt8.self) {
            guard version == 3 else { throw HandshakeVersion.error(version) }
            state = .c1
        }
        if state == .c1, let c1 = take(&input) {
            answer(c1, into: &output)
            state = .c2
        }
        // The content of C2 is not checked: clients differ in what they put there, and it proves nothing.
        if state == .c2, take(&input) != nil {
            state = .done
        }
    }

    private mutating func take(_ input: inout ByteBuffer) -> [UInt8]? {
        let missing = DigestHandshake.size - pending.readableBytes
        if let slice = input.readSlice(length: min(missing, input.readableBytes)) {
            pending.writeImmutableBuffer(slice)
        }
        guard let packet = pending.readBytes(length: DigestHandshake.size) else { return nil }
        pending = ByteBuffer()
        return packet
    }

    private mutating func answer(_ c1: [UInt8], into output: inout ByteBuffer) {
        output.writeInteger(UInt8(3))
        var s1 = random.bytes(DigestHandshake.size)
        // S1 begins with time zero, and with version zero unless it has a digest: a client that sees a version looks for a
        // digest.
        s1.replaceSubrange(0..<8, with: [0, 0, 0, 0, 0, 0, 0, 0])
        let hasVersion = c1[4..<8].contains { $0 != 0 }
        if hasVersion, let (schema, digest) = DigestHandshake.clientDigest(c1) {
            usesDigest = true
            s1.replaceSubrange(4..<8, with: [4, 5, 0, 1])
            DigestHandshake.imprintServerDigest(&s1, schema: schema)
            output.writeBytes(s1)
            let filler = random.bytes(DigestHandshake.size)
            output.writeBytes(DigestHandshake.signedResponse(to: digest, random: filler))
        } else {
            output.writeBytes(s1)
            output.writeBytes(c1)
        }
    }
}

enum HandshakeVersion {
    static func error(_ version: UInt8) -> RTMPError {
        let guess =
            switch version {
            case 6, 8, 9: "encrypted RTMP (RTMPE) is not supported"
            case 0x16: "this looks like TLS"
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): "this looks like HTTP"
            default: "only version 3 is understood"
            }
        return RTMPError(.handshakeVersion, "The handshake begins with byte \(version): \(guess).")
    }
}

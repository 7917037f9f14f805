import Crypto

/// The digest ("complex") form of the handshake that Flash Player 9 brought: C1 and S1 carry an HMAC-SHA256 of
/// themselves, and S2 signs C1's. Players, rtmpdump and ffmpeg use it to tell servers that can stream H.264.
enum DigestHandshake {
    static let size = 1536
    static let digestSize = 32

    /// Which of the two blocks of C1 and S1 comes first. The client chooses the order for C1, and the server uses the same
    /// order for S1.
    enum Schema: CaseIterable, Sendable {
        /// The key block comes first, and the digest block begins at byte 772.
        case zero
        /// The digest block comes first, at byte 8.
        case one

        /// Where the digest block begins: with four bytes whose sum, modulo 728, is the distance from their end to the
        /// digest.
        var offsetPosition: Int {
            self == .zero ? 772 : 8
        }

        func digestPosition(in packet: [UInt8]) -> Int {
            let start = offsetPosition
            let sum = packet[start..<start + 4].reduce(0) { $0 + Int($1) }
            return start + 4 + sum % 728
        }
    }

    private static let clientKey = Array("Genuine Adobe Flash Player 001".utf8)
    private static let serverText = Array("Genuine Adobe Flash Media Server 001".utf8)
    /// Appended to the server's text for the key that signs S2.
    private static let keyTail: [UInt8] = [
        0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
        0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
    ]

    /// Finds C1's digest.
    /// - Parameter c1: 1,536 bytes.
    /// - Returns: nil when C1 has a digest in neither place, because the client uses the simple handshake.
    static func clientDigest(_ c1: [UInt8]) -> (schema: Schema, digest: [UInt8])? {
        guard c1.count == size else { return nil }
        for schema in Schema.allCases {
            let position = schema.digestPosition(in: c1)
            let found = Array(c1[position..<position + digestSize])
            if found == digest(c1, at: position, key: clientKey) { return (schema, found) }
        }
        return nil
    }

    /// Writes the server's digest into S1.
    /// - Parameter s1: 1,536 bytes.
    static func imprintServerDigest(_ s1: inout [UInt8], schema: Schema) {
        let position = schema.digestPosition(in: s1)
        s1.replaceSubrange(position..<position + digestSize, with: digest(s1, at: position, key: serverText))
    }

    /// Makes S2: random bytes, then their signature with a key that is made from C1's digest.
    static func signedResponse(to clientDigest: [UInt8], random: [UInt8]) -> [UInt8] {
        let key = hmac(key: serverText + keyTail, clientDigest)
        let filler = Array(random.prefix(size - digestSize))
        return filler + hmac(key: key, filler)
    }

    private static func digest(_ packet: [UInt8], at position: Int, key: [UInt8]) -> [UInt8] {
        hmac(key: key, packet[..<position] + packet[(position + digestSize)...])
    }

    private static func hmac(key: [UInt8], _ data: some Sequence<UInt8>) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(data), using: SymmetricKey(data: key)))
    }
}

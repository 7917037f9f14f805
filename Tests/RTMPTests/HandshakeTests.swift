import Crypto
import NIOCore
import Testing

@testable import RTMP

struct HandshakeTests {
    /// A C1 as Flash Player makes it, with the digest computed here from the published key.
    static func digestC1(_ schema: DigestHandshake.Schema, offset byte: UInt8 = 0x40) -> [UInt8] {
        var random = HandshakeRandom(seed: 9)
        var c1 = random.bytes(1536)
        c1.replaceSubrange(0..<8, with: [0, 0, 0, 1, 10, 0, 32, 18])
        let offset = schema == .zero ? 772 : 8
        c1.replaceSubrange(offset..<offset + 4, with: [byte, byte, byte, byte])
        let position = offset + 4 + c1[offset..<offset + 4].reduce(0) { $0 + Int($1) } % 728
        let rest = Array(c1[..<position] + c1[(position + 32)...])
        let key = SymmetricKey(data: Array("Genuine Adobe Flash Player 001".utf8))
        c1.replaceSubrange(
            position..<position + 32, with: Array(HMAC<SHA256>.authenticationCode(for: rest, using: key)))
        return c1
    }

    @Test("The simple handshake echoes C1 and has no version")
    func simpleHandshakeEchoesC1AndHasNoVersion() throws {
        var handshake = ServerHandshake(seed: 1)
        var random = HandshakeRandom(seed: 2)
        let c1 = [UInt8](repeating: 0, count: 8) + random.bytes(1528)
        var input = bytes([3] + c1)
        var output = ByteBuffer()
        try handshake.receive(&input, output: &output)
        #expect(output.readableBytes == 3073)
        #expect(output.getBytes(at: 0, length: 9) == [3, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(output.getBytes(at: 1537, length: 1536) == c1)
        #expect(!handshake.usesDigest)
        #expect(!handshake.isDone)
        var c2 = ByteBuffer(repeating: 0, count: 1536)
        c2.writeString("next")
        try handshake.receive(&c2, output: &output)
        #expect(handshake.isDone)
        #expect(c2 == ByteBuffer(string: "next"))
    }

    /// The offset's bytes sum to 0, to less and to more than the 728 they are taken modulo.
    @Test(
        "The digest handshake answers in the client's schema", arguments: DigestHandshake.Schema.allCases,
        [UInt8(0), 0xB5, 0xB6, 0xFF])
    func digestHandshakeAnswersInTheClientsSchema(schema: DigestHandshake.Schema, offset: UInt8) throws {
        let c1 = HandshakeTests.digestC1(schema, offset: offset)
        var handshake = ServerHandshake(seed: 1)
        var input = bytes([3] + c1)
        var output = ByteBuffer()
        try handshake.receive(&input, output: &output)
        #expect(handshake.usesDigest)
        let s1 = try #require(output.getBytes(at: 1, length: 1536))
        let s2 = try #require(output.getBytes(at: 1537, length: 1536))
        #expect(s1[4] >= 3)
        // S1 verified as ffmpeg does.
        let position = schema.digestPosition(in: s1)
        let key = SymmetricKey(data: Array("Genuine Adobe Flash Media Server 001".utf8))
        let rest = Array(s1[..<position] + s1[(position + 32)...])
        #expect(Array(HMAC<SHA256>.authenticationCode(for: rest, using: key)) == Array(s1[position..<position + 32]))
        // S2 is signed with a key made from C1's digest.
        let clientPosition = schema.digestPosition(in: c1)
        let expected = DigestHandshake.signedResponse(
            to: Array(c1[clientPosition..<clientPosition + 32]), random: Array(s2[..<1504]))
        #expect(s2 == expected)
    }

    @Test("A version without a digest gets the simple handshake")
    func aVersionWithoutDigestIsAnsweredSimply() throws {
        var c1 = HandshakeTests.digestC1(.zero)
        c1[1535] ^= 1
        var handshake = ServerHandshake(seed: 1)
        var input = bytes([3] + c1)
        var output = ByteBuffer()
        try handshake.receive(&input, output: &output)
        #expect(!handshake.usesDigest)
        #expect(output.getBytes(at: 1537, length: 1536) == c1)
    }

    @Test("Other RTMP versions are refused at the first byte", arguments: [UInt8(0), 2, 4, 6, 8, 0x16, 0x47, 0xFF])
    func otherVersionsAreRefusedAtTheFirstByte(version: UInt8) {
        #expect(
            code {
                var handshake = ServerHandshake(seed: 1)
                var input = bytes([version])
                var output = ByteBuffer()
                try handshake.receive(&input, output: &output)
            } == .handshakeVersion)
        #expect(
            code {
                var handshake = ClientHandshake(seed: 1)
                var input = bytes([version])
                var output = ByteBuffer()
                try handshake.receive(&input, output: &output)
            } == .handshakeVersion)
    }

    @Test("Client and server complete the handshake, whatever the split", arguments: [1, 7, 1535, 1536, 1537, 4000])
    func bothSidesMeetWhateverTheSplit(size: Int) throws {
        var server = ServerHandshake(seed: 1)
        var client = ClientHandshake(seed: 2)
        var toServer = ByteBuffer()
        var toClient = ByteBuffer()
        client.start(output: &toServer)
        for _ in 0..<4 {
            for var piece in pieces(toServer, of: size) { try server.receive(&piece, output: &toClient) }
            toServer.clear()
            for var piece in pieces(toClient, of: size) { try client.receive(&piece, output: &toServer) }
            toClient.clear()
        }
        #expect(server.isDone)
        #expect(client.isDone)
    }

    @Test("Recorded programs use both forms of the handshake")
    func realProgramsUseBothForms() throws {
        for (name, digest) in [
            ("rtmpdump-digest", true), ("ffmpeg-play", true), ("ffmpeg-publish", true), ("rtmpdump-play", false),
            ("gst-rtmp2-publish", false), ("librtmp-publish", false),
        ] {
            var handshake = ServerHandshake(seed: 1)
            var input = try fixture(name + ".bin")
            var output = ByteBuffer()
            try handshake.receive(&input, output: &output)
            #expect(handshake.isDone)
            #expect(handshake.usesDigest == digest, "\(name)")
        }
    }
}

import NIOCore
import Testing

@testable import RTMP

struct SharedChunksTests {
    private static let times: [UInt32] = [0, 1, 40_000, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0xFFFF_FFFF]

    @Test(
        "A copy with another timestamp and stream is what encoding it anew gives", arguments: times, times)
    func copies(from: UInt32, to: UInt32) {
        for size in [0, 1, 127, 128, 129, 256, 1_000] {
            let body = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0) })
            var message = ByteBuffer()
            SharedChunks.encode(.video, timestamp: from, messageStreamID: 1, body: body, chunkSize: 128, into: &message)
            #expect(SharedChunks.timestamp(of: message) == from)
            var expected = hex("AABB")
            SharedChunks.encode(.video, timestamp: to, messageStreamID: 7, body: body, chunkSize: 128, into: &expected)
            var copy = hex("AABB")
            #expect(SharedChunks.copy(message, timestamp: to, messageStreamID: 7, chunkSize: 128, into: &copy))
            #expect(copy == expected)
        }
    }

    @Test("A copied message is read back by a decoder, large bodies and the usual chunk size too")
    func copiesDecode() throws {
        let body = ByteBuffer(repeating: 0xFF, count: 200_000)
        var message = ByteBuffer()
        SharedChunks.encode(.audio, timestamp: 0x0200_0000, messageStreamID: 1, body: body, into: &message)
        var output = ByteBuffer()
        ChunkEncoder().encode(
            ProtocolControlMessage.setChunkSize(UInt32(RTMP.outgoingChunkSize)).message, into: &output)
        #expect(SharedChunks.copy(message, timestamp: 5, messageStreamID: 3, into: &output))
        let decoded = try #require(try decode(output).first)
        #expect(decoded == RTMPMessage(type: .audio, streamID: 3, timestamp: 5, body: body))
    }

    @Test("What is not one message of that chunk size is not copied")
    func notAMessage() {
        var message = ByteBuffer()
        SharedChunks.encode(
            .video, timestamp: 9, messageStreamID: 1, body: ByteBuffer(repeating: 1, count: 300), chunkSize: 128,
            into: &message)
        var twice = message
        twice.writeImmutableBuffer(message)
        var continuation = message
        continuation.setInteger(UInt8(0xC6), at: 0)
        for bytes in [
            ByteBuffer(), hex("06 000000"), message.getSlice(at: 0, length: 200) ?? ByteBuffer(), twice, continuation,
        ] {
            var output = hex("AA")
            #expect(!SharedChunks.copy(bytes, timestamp: 1, messageStreamID: 1, chunkSize: 128, into: &output))
            #expect(output == hex("AA"))
        }
        var output = ByteBuffer()
        #expect(!SharedChunks.copy(message, timestamp: 1, messageStreamID: 1, chunkSize: 64, into: &output))
        #expect(SharedChunks.timestamp(of: hex("06 FFFFFF 000000 09 01000000")) == nil)
    }
}

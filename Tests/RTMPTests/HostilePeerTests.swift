import NIOCore
import Testing

@testable import RTMP

/// Peers that want memory or work out of us: each is stopped by exactly the limit meant for it.
struct HostilePeerTests {
    @Test(arguments: ["00000000", "80000000", "FFFFFFFF"])
    func invalidChunkSizes(size: String) {
        #expect(code { _ = try decode(hex("02 000000 000004 01 00000000" + size)) } == .invalidChunkSize)
    }

    @Test func aHugeChunkSizeCountsAsTheLargestUseful() throws {
        var decoder = ChunkDecoder()
        try decoder.receive(hex("02 000000 000004 01 00000000 7FFFFFFF"), now: start)
        #expect(try decoder.next() == nil)
        #expect(decoder.chunkSize == 16_777_216)
    }

    @Test(arguments: [
        ("08", 8_388_608), ("09", 8_388_608), ("16", 8_388_608), ("12", 262_144), ("14", 65_536), ("11", 65_536),
        ("01", 65_536), ("63", 65_536),
    ])
    func messagesLongerThanTheirTypeAllows(type: String, limit: Int) {
        let header = { (length: Int) in
            hex("04 000000" + String(0x100_0000 + length, radix: 16).dropFirst() + type + "01000000")
        }
        #expect(code { _ = try decode(header(limit)) } == nil)
        #expect(code { _ = try decode(header(limit + 1)) } == .messageTooLarge)
    }

    @Test func theAnnouncedLengthIsNotAllocated() throws {
        var decoder = ChunkDecoder()
        // 300 messages of 8 MiB begun, one byte each: the count of unfinished messages stops it, not the memory.
        #expect(
            code {
                for id in 0..<300 {
                    var chunk = hex("00")
                    chunk.writeInteger(UInt8(id % 256))
                    chunk.writeImmutableBuffer(hex("000000 800000 09 01000000"))
                    chunk.writeRepeatingByte(0, count: 128)
                    try decoder.receive(chunk, now: start)
                    while try decoder.next() != nil {}
                }
            } == .tooManyChunkStreams)
    }

    @Test func unfinishedMessagesTogetherAreLimited() throws {
        var limits = RTMPLimits()
        limits.maxPartialBytes = 1000
        var bytes = ByteBuffer()
        for id in [3, 4, 5, 6, 7, 8, 9, 10] as [UInt8] {
            bytes.writeInteger(id)
            bytes.writeImmutableBuffer(hex("000000 001000 09 01000000"))
            bytes.writeRepeatingByte(0, count: 128)
        }
        #expect(code { _ = try decode(bytes, limits: limits) } == .tooMuchBuffered)
    }

    @Test func everyChunkStreamThereIs() {
        var bytes = ByteBuffer()
        for id in UInt32(64)...65_599 {
            bytes.writeInteger(UInt8(1))
            bytes.writeInteger(UInt16(id - 64), endianness: .little)
            bytes.writeImmutableBuffer(hex("000000 000000 09 01000000"))
        }
        #expect(code { _ = try decode(bytes) } == .tooManyChunkStreams)
    }

    @Test func oneByteChunks() throws {
        var decoder = ChunkDecoder()
        try decoder.receive(hex("02 000000 000004 01 00000000 00000001 04 000000 010000 08 01000000 00"), now: start)
        var chunks = 0
        let failure = code {
            while chunks < 65_535 {
                try decoder.receive(hex("C400"), now: start)
                while try decoder.next() != nil {}
                chunks += 1
            }
        }
        #expect(failure == .decodeWorkExceeded)
        // 16,384 credits; each chunk costs 64/64 and earns 1/64 back.
        #expect((16_384...16_700).contains(chunks))
    }

    @Test func defaultChunksOfARealClientNeverRunOut() throws {
        var decoder = ChunkDecoder()
        let message = RTMPMessage(type: .video, streamID: 1, body: ByteBuffer(repeating: 0, count: 20_000))
        var bytes = ByteBuffer()
        ChunkEncoder().encode(message, into: &bytes)
        for _ in 0..<300 {
            try decoder.receive(bytes, now: start)
            #expect(try decoder.next() != nil)
        }
    }

    /// A silent AAC track: nine bytes of body, 47 a second, for twenty minutes.
    @Test func smallMessagesAtARealPaceNeverRunOut() throws {
        var decoder = ChunkDecoder()
        for index in 0..<60_000 {
            let now = start + .milliseconds(Int64(index) * 21)
            try decoder.receive(hex("04 000000 000009 08 01000000 AF 01 21 00 49 90 02 19 00"), now: now)
            guard try decoder.next() != nil else {
                Issue.record("message \(index) is missing")
                return
            }
        }
    }

    @Test func referencesToHeadersThatNeverCame() {
        #expect(code { _ = try decode(hex("84 000001 AA")) } == .invalidChunk)
        #expect(code { _ = try decode(hex("C4 AA")) } == .invalidChunk)
    }

    @Test func aMessageInsideAnother() {
        var bytes = hex("04 000000 000100 08 01000000")
        bytes.writeRepeatingByte(0, count: 128)
        bytes.writeImmutableBuffer(hex("04 000000 000001 08 01000000 AA"))
        #expect(code { _ = try decode(bytes) } == .invalidChunk)
    }

    @Test func undecodedInputIsLimited() throws {
        var decoder = ChunkDecoder()
        try decoder.receive(ByteBuffer(repeating: 0, count: 1_048_576), now: start)
        #expect(code { try decoder.receive(ByteBuffer(repeating: 0, count: 1), now: start) } == .tooMuchBuffered)
    }

    @Test(arguments: [
        RTMPMessageType.setChunkSize, .abort, .acknowledgement, .windowAcknowledgementSize,
        .setPeerBandwidth,
    ])
    func truncatedControlMessages(type: RTMPMessageType) {
        for length in 0..<4 {
            #expect(
                code {
                    _ = try ProtocolControlMessage(type: type, body: ByteBuffer(repeating: 1, count: length))
                } == .malformedMessage)
        }
    }
}

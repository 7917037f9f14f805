import NIOCore
import Testing

@testable import RTMP

/// Peers that want memory or work out of us: each is stopped by exactly the limit meant for it.
struct HostilePeerTests {
    @Test("Invalid chunk sizes end the connection", arguments: ["00000000", "80000000", "FFFFFFFF"])
    func invalidChunkSizes(size: String) {
        #expect(code { _ = try decode(hex("02 000000 000004 01 00000000" + size)) } == .invalidChunkSize)
    }

    @Test("A huge chunk size counts as the largest useful")
    func aHugeChunkSizeCountsAsTheLargestUseful() throws {
        var decoder = ChunkDecoder()
        try decoder.receive(hex("02 000000 000004 01 00000000 7FFFFFFF"), now: start)
        #expect(try decoder.next() == nil)
        #expect(decoder.chunkSize == 16_777_216)
    }

    @Test(
        "Messages longer than their type allows end the connection",
        arguments: [
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

    @Test("The length that a message announces is not allocated")
    func theAnnouncedLengthIsNotAllocated() throws {
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

    @Test("Unfinished messages together are limited")
    func unfinishedMessagesTogetherAreLimited() throws {
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

    @Test("A peer that uses every chunk stream there is is cut off")
    func everyChunkStreamThereIs() {
        var bytes = ByteBuffer()
        for id in UInt32(64)...65_599 {
            bytes.writeInteger(UInt8(1))
            bytes.writeInteger(UInt16(id - 64), endianness: .little)
            bytes.writeImmutableBuffer(hex("000000 000000 09 01000000"))
        }
        #expect(code { _ = try decode(bytes) } == .tooManyChunkStreams)
    }

    @Test("A flood of one-byte chunks is cut off")
    func oneByteChunks() throws {
        var decoder = ChunkDecoder()
        try decoder.receive(hex("02 000000 000004 01 00000000 00000001 04 000000 010000 08 01000000 00"), now: start)
        var chunks = 0
        let failure = code {
            let chunk = hex("C400")
            while chunks < 65_535 {
                try decoder.receive(chunk, now: start)
                while try decoder.next() != nil {}
                chunks += 1
            }
        }
        #expect(failure == .decodeWorkExceeded)
        // 16,384 credits; each chunk costs 64/64 and earns 1/64 back.
        #expect((16_384...16_700).contains(chunks))
    }

    @Test("Default chunks of a real client never run out")
    func defaultChunksOfARealClientNeverRunOut() throws {
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
    @Test("Small messages at a real pace never run out")
    func smallMessagesAtARealPaceNeverRunOut() throws {
        var decoder = ChunkDecoder()
        let message = hex("04 000000 000009 08 01000000 AF 01 21 00 49 90 02 19 00")
        for index in 0..<60_000 {
            let now = start + .milliseconds(Int64(index) * 21)
            try decoder.receive(message, now: now)
            guard try decoder.next() != nil else {
                Issue.record("message \(index) is missing")
                return
            }
        }
    }

    @Test("Chunks that refer to headers that never came end the connection")
    func referencesToHeadersThatNeverCame() {
        #expect(code { _ = try decode(hex("84 000001 AA")) } == .invalidChunk)
        #expect(code { _ = try decode(hex("C4 AA")) } == .invalidChunk)
    }

    @Test("A message that begins inside another one ends the connection")
    func aMessageInsideAnother() {
        var bytes = hex("04 000000 000100 08 01000000")
        bytes.writeRepeatingByte(0, count: 128)
        bytes.writeImmutableBuffer(hex("04 000000 000001 08 01000000 AA"))
        #expect(code { _ = try decode(bytes) } == .invalidChunk)
    }

    @Test("Undecoded input is limited")
    func undecodedInputIsLimited() throws {
        var decoder = ChunkDecoder()
        try decoder.receive(ByteBuffer(repeating: 0, count: 1_048_576), now: start)
        #expect(code { try decoder.receive(ByteBuffer(repeating: 0, count: 1), now: start) } == .tooMuchBuffered)
    }

    @Test(
        "Truncated control messages end the connection",
        arguments: [
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

    @Test("A message that has only begun takes memory by what has come of it")
    func begunMessagesTakeLittle() throws {
        var decoder = ChunkDecoder()
        for id in UInt8(3)...63 {
            var chunk = bytes([id])
            chunk.writeImmutableBuffer(hex("000000 800000 09 01000000"))
            chunk.writeRepeatingByte(0, count: 128)
            try decoder.receive(chunk, now: start)
            #expect(try decoder.next() == nil)
        }
        #expect(decoder.partialCapacity <= 61 * 4_096)
        #expect(decoder.partialCapacity >= 61 * 128)
    }

    @Test("A message's body has storage of its own size", arguments: [1, 128, 300, 4_097, 5_000, 70_001])
    func bodiesOfTheirOwnSize(length: Int) throws {
        for chunkSize in [128, 60_000] {
            var decoder = ChunkDecoder()
            var bytes = ByteBuffer()
            var encoder = ChunkEncoder()
            encoder.setChunkSize(chunkSize, into: &bytes)
            let message = RTMPMessage(type: .video, streamID: 1, body: ByteBuffer(repeating: 7, count: length))
            encoder.encode(message, into: &bytes)
            // What lies whole in the bytes just received and fills half of them is a slice of them.
            bytes.writeRepeatingByte(0, count: 200_000)
            try decoder.receive(bytes, now: start)
            let body = try #require(try decoder.next()).body
            #expect(body == message.body)
            #expect(body.storageCapacity == length)
        }
    }

    @Test("Bytes that wait to be decoded take what they are long, and what was decoded takes nothing")
    func waitingBytes() throws {
        var decoder = ChunkDecoder()
        var message = ByteBuffer()
        ChunkEncoder().encode(
            RTMPMessage(type: .video, streamID: 1, body: ByteBuffer(repeating: 7, count: 128)), into: &message)
        var waiting = 0
        var bytes = ByteBuffer()
        for _ in 0..<50 { bytes.writeImmutableBuffer(message) }
        for _ in 0..<300 {
            try decoder.receive(bytes, now: start)
            waiting += 50
            // One turn takes nearly all, so that something always waits.
            while waiting > 5, try decoder.next() != nil { waiting -= 1 }
        }
        #expect(decoder.heldBytes <= 55 * message.readableBytes + 64)
    }

    @Test("What is held of messages that are not whole is known by capacity, and gone when they are whole or given up")
    func heldBytes() throws {
        var session = ChunkDecoder()
        for (id, end) in [(UInt8(4), hex("C4")), (5, hex("02 000000 000004 02 00000000 00000005"))] {
            var begun = bytes([id])
            begun.writeImmutableBuffer(hex("000000 000100 09 01000000"))
            begun.writeRepeatingByte(0, count: 128)
            try session.receive(begun, now: start)
            #expect(try session.next() == nil)
            #expect(session.heldBytes >= 256)
            // The beginning of the next chunk belongs to it.
            var rest = end
            if id == 4 { rest.writeRepeatingByte(0, count: 128) }
            let last = rest.readSlice(length: rest.readableBytes - 1) ?? rest
            try session.receive(last, now: start)
            #expect(try session.next() == nil)
            #expect(session.heldBytes >= 256)
            try session.receive(rest, now: start)
            #expect(try session.next()?.body.readableBytes == (id == 4 ? 256 : nil))
            #expect(try session.next() == nil)
            #expect(session.heldBytes < 64)
        }
    }

    // MARK: Aggregate messages

    private static func part(_ type: UInt8, _ body: ByteBuffer = ByteBuffer(), into aggregate: inout ByteBuffer) {
        let length = body.readableBytes
        aggregate.writeMultipleIntegers(type, UInt8(length >> 16), UInt16(truncatingIfNeeded: length))
        aggregate.writeRepeatingByte(0, count: 7)
        aggregate.writeImmutableBuffer(body)
        aggregate.writeInteger(UInt32(length + 11))
    }

    private static func aggregate(_ parts: Int, _ type: UInt8, _ body: ByteBuffer = ByteBuffer()) -> RTMPMessage {
        var content = ByteBuffer()
        part(type, body, into: &content)
        // Doubled until there are enough.
        let length = content.readableBytes * parts
        while content.readableBytes < length {
            let more = content.getSlice(at: 0, length: min(content.readableBytes, length - content.readableBytes))
            content.writeImmutableBuffer(more ?? content)
        }
        return RTMPMessage(type: .aggregate, streamID: 1, body: content)
    }

    @Test(
        "An aggregate message holds audio, video and data, nothing else",
        arguments: [1, 3, 4, 20, 17, 22, 0, 99] as [UInt8])
    func foreignParts(type: UInt8) throws {
        var client = try RawClient.connected()
        let command = RTMPCommand("a", transactionID: 1).message(streamID: 1).body
        #expect(code { try client.send(HostilePeerTests.aggregate(1_000, type, command)) } == .protocolViolation)
        #expect(try client.replies().isEmpty)
    }

    @Test("Parts of an aggregate message are paid for like messages", arguments: [8, 9] as [UInt8])
    func partsArePaidFor(type: UInt8) throws {
        var publisher = try ServerSessionTests.publishing()
        #expect(code { try publisher.send(HostilePeerTests.aggregate(20_000, type)) } == .decodeWorkExceeded)
        #expect((16_000...18_000).contains(publisher.events.count))
        var idle = try RawClient.connected()
        #expect(code { try idle.send(HostilePeerTests.aggregate(20_000, type)) } == .decodeWorkExceeded)
        #expect(idle.events.isEmpty)
    }

    @Test("An aggregate message's parts come one at a time, and the caller may pause between them")
    func partsComeOneAtATime() throws {
        var client = try ServerSessionTests.publishing()
        var bytes = ByteBuffer()
        ChunkEncoder().encode(HostilePeerTests.aggregate(3, 8, hex("AF01")), into: &bytes)
        ChunkEncoder().encode(RTMPMessage(type: .video, streamID: 1, body: hex("17")), into: &bytes)
        try client.session.receive(bytes, now: start)
        for isVideo in [false, false, false, true] {
            guard case .media(let message) = try client.session.nextEvent() else {
                Issue.record("no media")
                return
            }
            #expect(message.isVideo == isVideo)
        }
        #expect(try client.session.nextEvent() == nil)
    }

    @Test("A data part is no longer than a data message may be")
    func dataParts() throws {
        var client = try ServerSessionTests.publishing()
        let body = ByteBuffer(repeating: 2, count: 262_145)
        #expect(code { try client.send(HostilePeerTests.aggregate(1, 18, body)) } == .messageTooLarge)
    }

    @Test("A real encoder's aggregates never run out of work")
    func honestAggregates() throws {
        var client = try ServerSessionTests.publishing()
        let audio = ByteBuffer(repeating: 0xAF, count: 300)
        for _ in 0..<10 { try client.send(HostilePeerTests.aggregate(3_000, 8, audio)) }
        #expect(client.events.count == 30_000)
    }

    @Test("Empty media messages of one who does not publish are counted too")
    func emptyMedia() throws {
        var configuration = ServerSession.Configuration()
        configuration.limits.maxIgnoredMediaBytes = 64_000
        var client = try RawClient.connected(configuration: configuration)
        var sent = 0
        let failure = code {
            for index in 0..<2_000 {
                // At a pace that the budget of work allows.
                let now = start + .milliseconds(Int64(index))
                try client.send(RTMPMessage(type: .audio, streamID: 1, body: ByteBuffer()), now: now)
                sent += 1
            }
        }
        #expect(failure == .protocolViolation)
        #expect(sent == 1_000)
    }

    // MARK: Replies and what is kept

    @Test("Long names are not sent back, so the replies that wait stay near their limit")
    func repliesStayNearTheirLimit() throws {
        let name = AMFValue.string(String(repeating: "é", count: 2_000))
        for command in ["FCPublish", "FCSubscribe", "FCUnsubscribe"] {
            var client = try RawClient.connected()
            let failure = code {
                for index in 0..<2_000 {
                    // Slowly, so that the budget of work is not what ends it.
                    let message = RTMPCommand(command, transactionID: 2, arguments: [name]).message(streamID: 0)
                    try client.send(message, now: start + .milliseconds(Int64(index)))
                }
            }
            #expect(failure == .tooMuchBuffered)
            #expect(client.session.takeOutput()?.readableBytes ?? 0 <= 262_144 + 2_048)
        }
    }

    @Test("A command has few values")
    func commandsWithManyValues() throws {
        var client = try RawClient()
        let junk = AMFObject((0..<600).map { .init("a\($0)", .null) })
        #expect(
            code { try client.send(RTMPCommand("connect", transactionID: 1, object: .object(junk))) }
                == .amfLimitExceeded)
    }

    @Test("Metadata that refers to one long text again and again ends the connection")
    func metadataBomb() throws {
        var client = try ServerSessionTests.publishing()
        let body = AMFTests.referenceBomb(size: 200_000, count: 16_000)
        #expect(
            code { try client.send(RTMPMessage(type: .dataAMF0, streamID: 1, body: body)) } == .amfLimitExceeded)
        #expect(client.events.isEmpty)
    }

    @Test("Names that are too long end the connection instead of being cut", arguments: ["publish", "play"])
    func longNames(command: String) throws {
        var client = try RawClient.connected()
        let name = AMFValue.string(String(repeating: "n", count: 4_097))
        #expect(
            code { try client.send(RTMPCommand(command, transactionID: 5, arguments: [name]), streamID: 1) }
                == .malformedMessage)
    }
}

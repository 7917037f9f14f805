import NIOCore
import Testing

@testable import RTMP

struct ChunkDecoderTests {
    /// Header types 0 to 3 after each other on one chunk stream (RTMP 1.0 §5.3.2.1).
    @Test("Chunk headers inherit what they leave out from the last one")
    func headerTypesInheritFromTheLast() throws {
        let messages = try decode(
            hex("04 0003E8 000002 08 01000000 AABB" + "44 000014 000001 08 CC" + "84 000005 DD" + "C4 EE"))
        #expect(messages.map(\.timestamp) == [1000, 1020, 1025, 1030])
        #expect(messages.map { $0.body.readableBytes } == [2, 1, 1, 1])
        #expect(messages.allSatisfy { $0.streamID == 1 && $0.type == .audio && $0.chunkStreamID == 4 })
    }

    /// §5.3.1.2.4: a type 3 chunk that begins a message after a type 0 chunk adds that chunk's timestamp.
    @Test("Type three after type zero repeats the timestamp as delta")
    func typeThreeAfterTypeZeroRepeatsTheTimestampAsDelta() throws {
        let messages = try decode(hex("04 000017 000001 08 01000000 AA" + "C4 BB"))
        #expect(messages.map(\.timestamp) == [23, 46])
    }

    @Test(
        "Basic headers of all lengths are read",
        arguments: [(2, "02"), (63, "3F"), (64, "0000"), (319, "00FF"), (320, "010001"), (65_599, "01FFFF")])
    func basicHeadersOfAllLengths(id: UInt32, header: String) throws {
        let messages = try decode(hex(header + "000000 000001 09 01000000 AA"))
        #expect(messages.map(\.chunkStreamID) == [id])
    }

    @Test("Messages on different chunk streams may interleave")
    func messagesOnDifferentChunkStreamsMayInterleave() throws {
        var first = ByteBuffer(repeating: 1, count: 200)
        let second = ByteBuffer(repeating: 2, count: 150)
        var bytes = hex("04 000000 0000C8 08 01000000")
        bytes.writeImmutableBuffer(try #require(first.getSlice(at: 0, length: 128)))
        first.moveReaderIndex(forwardBy: 128)
        bytes.writeImmutableBuffer(hex("06 000000 000096 09 01000000"))
        bytes.writeImmutableBuffer(try #require(second.getSlice(at: 0, length: 128)))
        bytes.writeInteger(UInt8(0xC4))
        bytes.writeImmutableBuffer(first)
        bytes.writeInteger(UInt8(0xC6))
        bytes.writeImmutableBuffer(try #require(second.getSlice(at: 128, length: 22)))
        let messages = try decode(bytes)
        #expect(messages.map(\.type) == [.audio, .video])
        #expect(messages.map(\.body) == [ByteBuffer(repeating: 1, count: 200), second])
    }

    @Test("A full header that repeats the message continues it")
    func aFullHeaderThatRepeatsTheMessageContinuesIt() throws {
        var bytes = hex("04 000000 000082 08 01000000")
        bytes.writeRepeatingByte(7, count: 128)
        bytes.writeImmutableBuffer(hex("44 000000 000082 08 0707"))
        #expect(try decode(bytes).map(\.body) == [ByteBuffer(repeating: 7, count: 130)])
    }

    // MARK: Extended timestamps

    /// How a peer treats the extended timestamp in the continuation of a message.
    enum Repeats: CaseIterable {
        case value, absolute, nothing
    }

    @Test(
        "An extended timestamp of a type 0 chunk may be repeated in its continuations or not",
        arguments: Repeats.allCases, [UInt32(0xFF_FFFF), 0x0100_0000, .max])
    func extendedTimestampOfTypeZero(repeats: Repeats, timestamp: UInt32) throws {
        var bytes = hex("04 FFFFFF 000082 08 01000000")
        bytes.writeInteger(timestamp)
        bytes.writeRepeatingByte(7, count: 128)
        bytes.writeInteger(UInt8(0xC4))
        if repeats != .nothing { bytes.writeInteger(timestamp) }
        bytes.writeImmutableBuffer(hex("0809"))
        // What follows proves that the decoder is still in step; without it the last bytes cannot be told apart.
        bytes.writeImmutableBuffer(hex("05 000001 000001 12 01000000 AA"))
        let messages = try decode(bytes)
        #expect(messages.map(\.timestamp) == [timestamp, 1])
        #expect(messages.first?.body.getBytes(at: 128, length: 2) == [8, 9])
    }

    /// SRS#4356: after types 1 and 2 peers repeat the difference, or the absolute time, or nothing.
    @Test(
        "After a type 1 chunk with an extended timestamp peers may repeat the difference, the time, or nothing",
        arguments: Repeats.allCases)
    func extendedTimestampOfTypeOne(repeats: Repeats) throws {
        var bytes = hex("04 00000A 000001 08 01000000 AA")
        bytes.writeImmutableBuffer(hex("44 FFFFFF 000082 08 01000000"))
        bytes.writeRepeatingByte(7, count: 128)
        bytes.writeInteger(UInt8(0xC4))
        switch repeats {
        case .value: bytes.writeInteger(UInt32(0x0100_0000))
        case .absolute: bytes.writeInteger(UInt32(0x0100_000A))
        case .nothing: break
        }
        bytes.writeImmutableBuffer(hex("0809 05 000001 000001 12 01000000 AA"))
        let messages = try decode(bytes)
        #expect(messages.map(\.timestamp) == [10, 0x0100_000A, 1])
        #expect(messages.map { $0.body.readableBytes } == [1, 130, 1])
    }

    // MARK: Control

    @Test("Set chunk size applies to what follows")
    func setChunkSizeAppliesToWhatFollows() throws {
        var bytes = hex("02 000000 000004 01 00000000 00000100")
        bytes.writeImmutableBuffer(hex("04 000000 000100 08 01000000"))
        bytes.writeRepeatingByte(7, count: 256)
        #expect(try decode(bytes).map(\.body) == [ByteBuffer(repeating: 7, count: 256)])
    }

    @Test("An abort message forgets the unfinished message")
    func abortForgetsTheUnfinishedMessage() throws {
        var bytes = hex("04 000000 000082 08 01000000")
        bytes.writeRepeatingByte(7, count: 128)
        bytes.writeImmutableBuffer(hex("02 000000 000004 02 00000000 00000004"))
        bytes.writeImmutableBuffer(hex("04 000000 000001 08 01000000 AA"))
        #expect(try decode(bytes).map(\.body) == [hex("AA")])
    }

    @Test("An empty message is a message")
    func anEmptyMessageIsAMessage() throws {
        let messages = try decode(hex("04 000000 000000 08 01000000 04 000000 000000 08 01000000"))
        #expect(messages.map { $0.body.readableBytes } == [0, 0])
    }

    // MARK: Splits

    @Test("Every split of the bytes gives the same messages")
    func everySplitGivesTheSameMessages() throws {
        var bytes = ByteBuffer()
        var expected: [RTMPMessage] = []
        for (index, timestamp) in [UInt32(0), 0xFF_FFFE, 0xFF_FFFF, 0xFFFF_FFFF].enumerated() {
            let message = RTMPMessage(
                type: index % 2 == 0 ? .audio : .video, streamID: 1, timestamp: timestamp,
                body: ByteBuffer(repeating: UInt8(index), count: 100 + index * 60))
            expected.append(message)
            ChunkEncoder().encode(message, into: &bytes)
        }
        for size in 1...bytes.readableBytes {
            var decoder = ChunkDecoder()
            var messages: [RTMPMessage] = []
            for piece in pieces(bytes, of: size) {
                try decoder.receive(piece, now: start)
                while let message = try decoder.next() { messages.append(message) }
            }
            #expect(messages == expected, "in pieces of \(size)")
        }
    }

    /// Peers that do not repeat the extended timestamp, cut anywhere: bytes kept for comparison are payload after all.
    @Test("Every split gives the same messages where extended timestamps are not repeated")
    func everySplitWithoutRepeatedExtendedTimestamp() throws {
        var bytes = hex("04 FFFFFF 000104 08 01000000 01000000")
        bytes.writeRepeatingByte(1, count: 128)
        bytes.writeInteger(UInt8(0xC4))
        bytes.writeRepeatingByte(2, count: 128)
        bytes.writeImmutableBuffer(hex("C4 03030303"))
        for size in 1...40 {
            var decoder = ChunkDecoder()
            var messages: [RTMPMessage] = []
            for piece in pieces(bytes, of: size) {
                try decoder.receive(piece, now: start)
                while let message = try decoder.next() { messages.append(message) }
            }
            #expect(messages.map { $0.body.readableBytes } == [260], "in pieces of \(size)")
            #expect(messages.first?.body.getBytes(at: 254, length: 6) == [2, 2, 3, 3, 3, 3])
        }
    }

    // MARK: Memory

    @Test("A message that fills the read buffer is not copied")
    func aMessageThatFillsTheReadBufferIsNotCopied() throws {
        var bytes = hex("02 000000 000004 01 00000000 00010000")
        bytes.writeImmutableBuffer(hex("04 000000 007000 08 01000000"))
        bytes.writeRepeatingByte(7, count: 0x7000)
        let address = bytes.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        let body = try #require(try decode(bytes).first?.body)
        let bodyAddress = body.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(bodyAddress == address + 28)
    }

    @Test("A small message does not hold the read buffer")
    func aSmallMessageDoesNotHoldTheReadBuffer() throws {
        var bytes = ByteBufferAllocator().buffer(capacity: 65_536)
        bytes.writeImmutableBuffer(hex("04 000000 000004 08 01000000 01020304"))
        let body = try #require(try decode(bytes).first?.body)
        #expect(body == hex("01020304"))
        #expect(body.storageCapacity <= 16)
    }
}

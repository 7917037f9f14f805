import Basics
import NIOCore
import Testing

@testable import RTMP

struct MessageTests {
    @Test(
        "Protocol control messages are read and written",
        arguments: [
            (ProtocolControlMessage.setChunkSize(4096), "02 000000 000004 01 00000000 00001000"),
            (.abort(chunkStreamID: 5), "02 000000 000004 02 00000000 00000005"),
            (.acknowledgement(7), "02 000000 000004 03 00000000 00000007"),
            (.windowAcknowledgementSize(2_500_000), "02 000000 000004 05 00000000 002625A0"),
            (.setPeerBandwidth(2_500_000, .dynamic), "02 000000 000005 06 00000000 002625A0 02"),
        ])
    func protocolControl(control: ProtocolControlMessage, wire: String) throws {
        var output = ByteBuffer()
        ChunkEncoder().encode(control.message, into: &output)
        #expect(output == hex(wire))
        #expect(try ProtocolControlMessage(type: control.message.type, body: control.message.body) == control)
    }

    @Test(
        "User control messages are read and written",
        arguments: [
            (UserControlEvent.streamBegin(streamID: 1), "0000 00000001"), (.streamEOF(streamID: 1), "0001 00000001"),
            (.streamDry(streamID: 1), "0002 00000001"),
            (.setBufferLength(streamID: 1, milliseconds: 3000), "0003 00000001 00000BB8"),
            (.streamIsRecorded(streamID: 1), "0004 00000001"), (.pingRequest(9), "0006 00000009"),
            (.pingResponse(9), "0007 00000009"), (.other(31), "001F"),
        ])
    func userControl(event: UserControlEvent, body: String) throws {
        #expect(event.message.body == hex(body))
        #expect(try UserControlEvent(body: hex(body)) == event)
    }

    @Test(
        "Truncated user control messages are errors",
        arguments: ["", "00", "0000", "0006 000000", "0003 00000001 0000"])
    func truncatedUserControl(body: String) {
        #expect(code { _ = try UserControlEvent(body: hex(body)) } == .malformedMessage)
    }

    @Test("An aggregate comes apart into its messages")
    func anAggregateComesApart() throws {
        let body = hex(
            "08 000002 0003E8 00 000000 AF01 0000000D" + "09 000003 0003F2 00 000000 170100 0000000E")
        var parts = AggregateParts(
            RTMPMessage(type: .aggregate, streamID: 1, chunkStreamID: 7, timestamp: 5000, body: body))
        let first = try #require(try parts.next())
        #expect(first == RTMPMessage(type: .audio, streamID: 1, chunkStreamID: 7, timestamp: 5000, body: hex("AF01")))
        let second = try #require(try parts.next())
        #expect(second.timestamp == 5010)
        #expect(second.type == .video)
        #expect(second.body == hex("170100"))
        #expect(try parts.next() == nil)
    }

    @Test("An aggregate timestamp has its high byte last")
    func anAggregateTimestampHasItsHighByteLast() throws {
        let body = hex("08 000000 000000 01 000000 0000000B 08 000000 000001 01 000000 0000000B")
        var parts = AggregateParts(RTMPMessage(type: .aggregate, streamID: 1, timestamp: 0x0100_0000, body: body))
        #expect(try parts.next()?.timestamp == 0x0100_0000)
        #expect(try parts.next()?.timestamp == 0x0100_0001)
    }

    @Test("A truncated aggregate is an error")
    func aTruncatedAggregateIsAnError() {
        for length in 1..<13 {
            var parts = AggregateParts(
                RTMPMessage(
                    type: .aggregate, streamID: 1,
                    body: hex("08 000002 0003E8 00 000000 AF01").getSlice(at: 0, length: length) ?? ByteBuffer()))
            #expect(code { _ = try parts.next() } == .malformedMessage)
        }
    }

    @Test("@setDataFrame is taken off and put on")
    func setDataFrameIsTakenOffAndPutOn() throws {
        let plain = RTMPDataMessage(streamID: 1, name: "onMetaData", values: [.ecmaArray(["width": 160])])
        let read = try RTMPDataMessage(plain.setDataFrame)
        #expect(read == plain)
        #expect(read.metadata?["width"] == 160)
        #expect(read.body == plain.body)
    }

    @Test("Shared chunks are the same for everybody")
    func chunksAreTheSameForEverybody() {
        var output = ByteBuffer()
        SharedChunks.encode(
            .video, timestamp: 0x0100_0000, messageStreamID: 1, body: hex("0102030405"), chunkSize: 2, into: &output)
        #expect(output == hex("06 FFFFFF 000005 09 01000000 01000000 0102 C6 01000000 0304 C6 01000000 05"))
        #expect(SharedChunks.encodedSize(bodySize: 5, timestamp: 0x0100_0000, chunkSize: 2) == output.readableBytes)
        #expect(SharedChunks.encodedSize(bodySize: 0, timestamp: 0, chunkSize: 2) == 12)
        #expect(SharedChunks.encodedSize(bodySize: 4, timestamp: 0, chunkSize: 2) == 17)
    }

    @Test("A body too long for its length field is not written")
    func aBodyTooLongForItsLengthFieldIsNotWritten() {
        var output = ByteBuffer()
        let body = ByteBuffer(repeating: 0, count: 0x100_0000)
        #expect(!SharedChunks.encode(.video, timestamp: 0, messageStreamID: 1, body: body, into: &output))
        #expect(output.readableBytes == 0)
    }

    @Test(
        "Timestamps that wrap are unwrapped",
        arguments: [
            ([UInt32(0), 10, 5, 20], [Int64(0), 10, 5, 20]),
            ([0xFFFF_FFF0, 0x10], [0xFFFF_FFF0, 0x1_0000_0010]),
            ([0xFFFF_FFF0, 0x10, 0xFFFF_FFFF, 0x20], [0xFFFF_FFF0, 0x1_0000_0010, 0xFFFF_FFFF, 0x1_0000_0020]),
            ([5, 0xFFFF_FFFE], [5, -2]),
            ([1000, 0], [1000, 0]),
        ])
    func timestampsUnwrap(input: [UInt32], output: [Int64]) {
        var unwrapper = TimestampUnwrapper(bits: 32)
        #expect(input.map { unwrapper.unwrap($0) } == output)
    }
}

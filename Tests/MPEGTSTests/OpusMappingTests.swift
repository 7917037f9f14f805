import Media
import NIOCore
import Testing

@testable import MPEGTS

@Suite struct OpusMappingTests {
    @Test(
        "Opus control headers write lengths as 255s and a rest",
        arguments: [
            (1, "7fe0 01"), (254, "7fe0 fe"), (255, "7fe0 ff00"), (256, "7fe0 ff01"), (510, "7fe0 ffff00"),
            (1275, "7fe0 ffffffffff00"),
        ])
    func lengthsAre255sAndARest(length: Int, header: String) {
        var output = ByteBuffer()
        OpusMapping.writeControlHeader(packetLength: length, into: &output)
        #expect(output == bytes(header))
        output.writeRepeatingByte(0xAA, count: length)
        output.writeInteger(UInt8(0xBB))
        #expect(OpusMapping.readPacket(from: &output) == ByteBuffer(repeating: 0xAA, count: length))
        #expect(output == bytes("bb"))
    }

    @Test(
        "Opus control headers are read",
        arguments: [
            // Start trim, end trim, both, an extension, and what is cut short or none.
            ("7ff0 01 0138 aa", "aa"), ("7fe8 01 0138 aa", "aa"), ("7ff8 01 0138 0010 aa", "aa"),
            ("7fe4 01 02 0000 aa", "aa"), ("7fe0 02 aa", nil), ("7fe0 ff", nil), ("7fe0", nil), ("7fc0 01 aa", nil),
            ("7ff0 01 01", nil), ("7fe4 01 05 aa", nil), ("", nil),
        ] as [(String, String?)])
    func readsControlHeaders(stream: String, packet: String?) {
        var stream = bytes(stream)
        #expect(OpusMapping.readPacket(from: &stream) == packet.map { bytes($0) })
    }

    @Test(
        "Only standard channel layouts have a code",
        arguments: [
            ("4f707573486561640102380180bb0000000000", 2), ("4f707573486561640101380180bb0000000000", 1),
            ("4f707573486561640106380180bb00000000010402000401020305", 6),
            ("4f707573486561640106380180bb00000000010402000102030405", nil),
            ("4f707573486561640102380180bb00000000ff02000001", nil),
        ] as [(String, UInt8?)])
    func onlyStandardLayoutsHaveACode(head: String, code: UInt8?) throws {
        let configuration = try OpusConfiguration(record: bytes(head))
        #expect(OpusMapping.channelCode(configuration) == code)
        #expect(TransportStreamMuxer.canCarry(.opus(configuration)) == (code != nil))
        if let code {
            let read = try #require(OpusMapping.head(channelCode: code))
            #expect(read.channels == configuration.channels)
            #expect(read.channelMapping == configuration.channelMapping)
            #expect(read.streams == configuration.streams)
        }
    }
}

import NIOCore
import Testing

@testable import RTMP

@Suite("Messages of several tracks") struct TrackPartsTests {
    struct Case: CustomTestStringConvertible {
        var testDescription: String
        var type = RTMPMessageType.video
        var body: String
        /// nil: the message stays whole.
        var parts: [String]?
    }

    static let cases: [Case] = [
        Case(
            testDescription: "tracks of one codec, the default one last",
            body: "96 10 61763031 01 000001 AA 00 000002 BBCC", parts: ["90 61763031 BBCC", "96 00 61763031 01 AA"]),
        Case(
            testDescription: "tracks of several codecs", body: "96 23 76703039 00 000001 AA 61763031 01 000001 BB",
            parts: ["93 76703039 AA", "96 03 61763031 01 BB"]),
        Case(
            testDescription: "a frame that is no keyframe, with composition times",
            body: "A6 11 68766331 00 000004 FFFFFF AA 02 000004 000001 BB",
            parts: ["A1 68766331 FFFFFF AA", "A6 01 68766331 02 000001 BB"]),
        Case(
            testDescription: "a codec that nobody knows", body: "96 23 78787878 00 000001 AA 61763031 01 000000",
            parts: ["93 78787878 AA", "96 03 61763031 01"]),
        Case(
            testDescription: "no default track", body: "96 11 61763031 07 000001 AA 03 000001 BB",
            parts: ["96 01 61763031 03 BB", "96 01 61763031 07 AA"]),
        Case(
            testDescription: "modifiers before", body: "97 02 00C350 06 13 61763031 00 000001 AA 01 000001 BB",
            parts: ["97 02 00C350 03 61763031 AA", "97 02 00C350 06 03 61763031 01 BB"]),
        Case(
            testDescription: "audio", type: .audio, body: "95 24 4F707573 01 000001 AA 664C6143 00 000001 BB",
            parts: ["94 664C6143 BB", "95 04 4F707573 01 AA"]),
        Case(
            testDescription: "one track in the form of several", type: .audio, body: "95 11 6D703461 02 000001 AA",
            parts: ["95 01 6D703461 02 AA"]),
        Case(testDescription: "a multitrack message of one track", body: "96 01 68766331 03 000002 AA"),
        Case(testDescription: "a plain message", body: "93 61763031 AA"),
        Case(testDescription: "FLV's own video", body: "17 01 000000 AA"),
        Case(testDescription: "FLV's own audio", type: .audio, body: "2F FFFB"),
        Case(testDescription: "a command", body: "D6 10 61763031 01 000001 AA"),
        Case(testDescription: "video's packet type in audio", type: .audio, body: "96 10 4F707573 01 000001 AA"),
        Case(testDescription: "data", type: .dataAMF0, body: "96 10 61763031 01 000001 AA"),
        Case(testDescription: "cut off", body: "96 11 61763031 00 000002 AA"),
        Case(testDescription: "no tracks", body: "96 11 61763031"),
        Case(testDescription: "an unknown layout", body: "96 31 61763031 00 000001 AA"),
        Case(testDescription: "nothing", body: ""),
    ]

    @Test("Each track becomes a message of its own, the default one a plain message", arguments: cases)
    func parts(expected: Case) {
        let message = RTMPMessage(type: expected.type, streamID: 1, timestamp: 40, body: hex(expected.body))
        let parts = message.trackParts()
        #expect(parts?.map(\.body) == expected.parts?.map { hex($0) })
        #expect(parts?.allSatisfy { $0.timestamp == 40 && $0.streamID == 1 && $0.type == expected.type } ?? true)
    }

    @Test("A message of very many tracks is malformed, and stays whole")
    func tooMany() {
        for count in [32, 33] {
            var body = hex("96 11 61763031")
            for id in 0..<count { body.writeBytes([UInt8(id), 0, 0, 0]) }
            let message = RTMPMessage(type: .video, streamID: 1, body: body)
            #expect(message.trackParts()?.count == (count > 32 ? nil : count))
            #expect(throws: RTMPError.self) { _ = try VideoTag.parse(body) }
        }
    }

    @Test("A session gives the tracks one by one, inside aggregate messages too")
    func session() throws {
        let body = hex("96 11 61763031 00 000001 AA 01 000001 BB")
        var aggregate = ByteBuffer()
        aggregate.writeMultipleIntegers(UInt8(9), UInt8(0), UInt16(body.readableBytes))
        aggregate.writeRepeatingByte(0, count: 7)
        aggregate.writeImmutableBuffer(body)
        aggregate.writeInteger(UInt32(body.readableBytes + 11))
        var link = MessageLink(limits: RTMPLimits())
        var bytes = ByteBuffer()
        let encoder = ChunkEncoder()
        encoder.encode(RTMPMessage(type: .video, streamID: 1, body: body), into: &bytes)
        encoder.encode(RTMPMessage(type: .aggregate, streamID: 1, body: aggregate), into: &bytes)
        encoder.encode(RTMPMessage(type: .video, streamID: 1, body: hex("93 61763031 CC")), into: &bytes)
        try link.receive(bytes, now: .now())
        var bodies: [ByteBuffer] = []
        while case .message(let message)? = try link.next() { bodies.append(message.body) }
        let tracks = [hex("91 61763031 AA"), hex("96 01 61763031 01 BB")]
        #expect(bodies == tracks + tracks + [hex("93 61763031 CC")])
    }

    @Test("Tracks without bytes are paid for like chunks")
    func budget() throws {
        var body = hex("96 11 61763031")
        for id in 0..<32 { body.writeBytes([UInt8(id), 0, 0, 0]) }
        var link = MessageLink(limits: RTMPLimits())
        var messages = 0
        let error = #expect(throws: RTMPError.self) {
            for _ in 0..<2_000 {
                var bytes = ByteBuffer()
                ChunkEncoder().encode(RTMPMessage(type: .video, streamID: 1, body: body), into: &bytes)
                try link.receive(bytes, now: .uptimeNanoseconds(1))
                while try link.next() != nil { messages += 1 }
            }
        }
        #expect(error?.code == .decodeWorkExceeded)
        #expect(messages < 20_000)
    }
}

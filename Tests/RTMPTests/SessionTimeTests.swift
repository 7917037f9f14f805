import NIOCore
import Testing

@testable import RTMP

struct SessionTimeTests {
    @Test func deadlinesFollowTheSessionsSteps() throws {
        var session = ServerSession(now: start, seed: 1)
        #expect(session.deadline == start + .seconds(5))
        #expect(session.expired(now: start + .milliseconds(4_999)) == nil)
        #expect(session.expired(now: start + .seconds(5))?.code == .timeout)
        try session.receive(bytes([3] + [UInt8](repeating: 0, count: 3072)), now: start)
        #expect(session.deadline == start + .seconds(10))

        var client = try RawClient.connected()
        #expect(client.session.deadline == start + .seconds(30))
        #expect(
            client.session.expired(now: start + .seconds(30))?.message == "Neither publish nor play came in time.")
        try client.send(RTMPCommand("publish", transactionID: 5, arguments: ["cam"]), streamID: 1)
        client.session.acceptPublish(streamID: 1)
        #expect(client.session.deadline == nil)
        try client.session.receive(ByteBuffer(), now: start + .seconds(100))
        try client.send(RTMPCommand("closeStream", transactionID: 0), streamID: 1)
        #expect(client.session.deadline != nil)
    }

    @Test func aPingWantsASignOfLife() throws {
        var client = try ServerSessionTests.publishing()
        client.session.ping(now: start + .seconds(1))
        #expect(try client.summaries() == ["control pingRequest(2000)"])
        #expect(client.session.deadline == start + .seconds(21))
        #expect(client.session.expired(now: start + .seconds(21))?.message == "A ping was not answered in time.")
        // A second ping does not put the deadline off; any bytes do.
        client.session.ping(now: start + .seconds(10))
        #expect(client.session.deadline == start + .seconds(21))
        try client.send(UserControlEvent.pingResponse(2000).message, now: start + .seconds(12))
        #expect(client.session.deadline == nil)
        #expect(client.session.lastReceived == start + .seconds(12))
    }

    @Test func pingsAreAnswered() throws {
        var client = try RawClient.connected()
        try client.send(UserControlEvent.pingRequest(77).message)
        #expect(try client.summaries().last == "control pingResponse(77)")
    }

    @Test func acknowledgementsComeAtHalfTheWindow() throws {
        var client = try ServerSessionTests.publishing()
        try client.send(ProtocolControlMessage.windowAcknowledgementSize(10_000).message)
        _ = try client.replies()
        let before = client.session.bytesReceived
        try client.send(RTMPMessage(type: .video, streamID: 1, body: ByteBuffer(repeating: 0, count: 4_000)))
        #expect(try client.summaries() == [])
        try client.send(RTMPMessage(type: .video, streamID: 1, body: ByteBuffer(repeating: 0, count: 1_000)))
        let replies = try client.replies()
        #expect(replies.map(\.type) == [.acknowledgement])
        #expect(replies.first?.body.getInteger(at: 0, as: UInt32.self) == UInt32(client.session.bytesReceived))
        #expect(client.session.bytesReceived > before + 5_000)
    }

    @Test func thePeersAcknowledgementsUnwrap() throws {
        var client = try RawClient.connected()
        for (count, total) in [
            (UInt32(1_000), UInt64(1_000)), (0x7FFF_FFFF, 0x7FFF_FFFF), (0xFFFF_0000, 0xFFFF_0000),
            (0x10, 0x1_0000_0010), (0x5, 0x1_0000_0010),
        ] {
            try client.send(ProtocolControlMessage.acknowledgement(count).message)
            #expect(client.session.peerAcknowledgedBytes == total)
        }
    }
}

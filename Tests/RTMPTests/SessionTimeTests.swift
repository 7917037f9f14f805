import NIOCore
import Testing

@testable import RTMP

struct SessionTimeTests {
    @Test("Deadlines follow the session's steps")
    func deadlinesFollowTheSessionsSteps() throws {
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

    @Test("A ping that gets no sign of life ends the connection")
    func aPingWantsASignOfLife() throws {
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

    @Test("Pings are answered")
    func pingsAreAnswered() throws {
        var client = try RawClient.connected()
        try client.send(UserControlEvent.pingRequest(77).message)
        #expect(try client.summaries().last == "control pingResponse(77)")
    }

    @Test("Acknowledgements come at half the window")
    func acknowledgementsComeAtHalfTheWindow() throws {
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

    @Test("The peer's acknowledgements that wrap are unwrapped")
    func thePeersAcknowledgementsUnwrap() throws {
        var client = try RawClient.connected()
        for (count, total) in [
            (UInt32(1_000), UInt64(1_000)), (0x7FFF_FFFF, 0x7FFF_FFFF), (0xFFFF_0000, 0xFFFF_0000),
            (0x10, 0x1_0000_0010), (0x5, 0x1_0000_0010),
        ] {
            try client.send(ProtocolControlMessage.acknowledgement(count).message)
            #expect(client.session.peerAcknowledgedBytes == total)
        }
    }

    @Test("A player that was silent while it watched has the whole idle time after the stream's end")
    func idleTimeBeginsAtTheEnd() throws {
        let end = start + .seconds(100)
        for notice in [ServerSession.PlayNotice.ended, .failed("Revoked.")] {
            var client = try ServerSessionTests.playing()
            client.session.notify(notice, streamID: 1)
            #expect(client.session.expired(now: end) == nil)
            #expect(client.session.expired(now: end + .seconds(29)) == nil)
            #expect(client.session.deadline == end + .seconds(30))
        }
        var publisher = try ServerSessionTests.publishing()
        publisher.session.endPublish(streamID: 1, code: "NetStream.Publish.BadName", description: "d")
        #expect(publisher.session.expired(now: end) == nil)
        #expect(publisher.session.deadline == end + .seconds(30))
    }

    @Test("A client that waits for an answer is not idle, and one that only closes streams is")
    func idleTimeIsTheClients() throws {
        var client = try RawClient.connected()
        let late = start + .seconds(29)
        try client.send(RTMPCommand("closeStream", transactionID: 0).message(streamID: 1), now: late)
        #expect(client.session.deadline == start + .seconds(30))
        try client.send(RTMPCommand("play", transactionID: 0, arguments: ["cam"]).message(streamID: 1), now: late)
        #expect(client.session.deadline == nil)
        client.session.refusePlay(streamID: 1, description: "No such stream.")
        #expect(client.session.expired(now: late) == nil)
        #expect(client.session.deadline == late + .seconds(30))
    }

    @Test("No acknowledgement is added while earlier output waits, and the next one says it all")
    func acknowledgementsDoNotPileUp() throws {
        var client = try ServerSessionTests.publishing()
        try client.send(ProtocolControlMessage.windowAcknowledgementSize(1_024).message)
        _ = try client.replies()
        var message = ByteBuffer()
        ChunkEncoder().encode(
            RTMPMessage(type: .video, streamID: 1, body: ByteBuffer(repeating: 0, count: 2_000)), into: &message)
        for _ in 0..<10 {
            try client.session.receive(message, now: start, acknowledges: false)
            try client.drain()
        }
        #expect(try client.replies().isEmpty)
        try client.receive(message)
        let replies = try client.replies()
        #expect(replies.map(\.type) == [.acknowledgement])
        #expect(replies.first?.body.getInteger(at: 0, as: UInt32.self) == UInt32(client.session.bytesReceived))
    }
}

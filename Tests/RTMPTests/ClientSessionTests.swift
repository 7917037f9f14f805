import NIOCore
import Testing

@testable import RTMP

struct ClientSessionTests {
    /// A client that has shaken hands and sent connect, and what it sends in answer to `commands`.
    static func client(
        _ purpose: ClientConfiguration.Purpose = .publish, change: (inout ClientConfiguration) -> Void = { _ in }
    ) throws -> ClientSession {
        var configuration = ClientConfiguration(
            purpose: purpose, app: "live", stream: "cam", tcURL: "rtmp://h/live?a=b")
        change(&configuration)
        var session = ClientSession(configuration: configuration, now: start, seed: 1)
        try session.receive(bytes([3] + [UInt8](repeating: 0, count: 3072)), now: start)
        return session
    }

    static func give(_ session: inout ClientSession, _ commands: RTMPCommand...) throws -> [ClientEvent] {
        var output = ByteBuffer()
        for command in commands { ChunkEncoder().encode(command.message(streamID: 0), into: &output) }
        try session.receive(output, now: start)
        var events: [ClientEvent] = []
        while let event = try session.nextEvent() { events.append(event) }
        return events
    }

    /// The names of the commands in the session's output, the handshake skipped.
    static func commands(_ session: inout ClientSession) throws -> [RTMPCommand] {
        guard var output = session.takeOutput() else { return [] }
        if output.getInteger(at: output.readerIndex, as: UInt8.self) == 3,
            output.readableBytes >= 3073
        {
            output.moveReaderIndex(forwardBy: 3073)
        }
        return try decode(output).filter { $0.type == .commandAMF0 }.map { try RTMPCommand($0) }
    }

    static let success = RTMPCommand(
        "_result", transactionID: 1,
        arguments: [.object(["level": "status", "code": "NetConnection.Connect.Success"])])
    static func status(_ code: String, level: String = "status") -> RTMPCommand {
        RTMPCommand(
            "onStatus", transactionID: 0,
            arguments: [.object(["level": .string(level), "code": .string(code), "description": "d"])])
    }

    /// R-P6: nothing of the stream before the server says so.
    @Test("A client's commands wait for their answers")
    func commandsWaitForTheirAnswers() throws {
        var session = try ClientSessionTests.client()
        #expect(try ClientSessionTests.commands(&session).map(\.name) == ["connect"])
        #expect(try ClientSessionTests.give(&session, ClientSessionTests.success) == [.connected])
        #expect(
            try ClientSessionTests.commands(&session).map(\.name) == ["releaseStream", "FCPublish", "createStream"])
        let refusals = [2.0, 3.0].map { RTMPCommand("_error", transactionID: $0, arguments: [.object([:])]) }
        #expect(try ClientSessionTests.give(&session, refusals[0], refusals[1]) == [])
        #expect(session.streamID == nil)
        #expect(
            try ClientSessionTests.give(&session, RTMPCommand("_result", transactionID: 4, arguments: [7])) == [])
        let publish = try ClientSessionTests.commands(&session)
        #expect(publish.map(\.name) == ["publish"])
        #expect(publish.first?.arguments == ["cam", "live"])
        #expect(session.streamID == 7)
        #expect(session.send(.audio, timestamp: 0, body: hex("AF")) == false)
        #expect(
            try ClientSessionTests.give(&session, ClientSessionTests.status("NetStream.Publish.Start"))
                == [.publishing(streamID: 7)])
        #expect(session.send(.audio, timestamp: 0, body: hex("AF")) == true)
        _ = session.takeOutput()
        session.stop()
        #expect(try ClientSessionTests.commands(&session).map(\.name) == ["FCUnpublish", "deleteStream"])
        #expect(session.deadline == nil)
    }

    @Test("The client's profile decides what is sent")
    func theProfileDecidesWhatIsSent() throws {
        var session = try ClientSessionTests.client {
            $0.profile.sendReleaseStream = false
            $0.profile.sendFCPublish = false
            $0.profile.flashVersion = "X"
            $0.profile.tcURLForm = .withoutQuery
            $0.profile.isEnhanced = true
        }
        let connect = try #require(try ClientSessionTests.commands(&session).first)
        #expect(connect.object["flashVer"] == "X")
        #expect(connect.object["tcUrl"] == "rtmp://h/live")
        #expect(connect.object["fourCcList"]?.array?.first == "avc1")
        _ = try ClientSessionTests.give(&session, ClientSessionTests.success)
        #expect(try ClientSessionTests.commands(&session).map(\.name) == ["createStream"])
        _ = try ClientSessionTests.give(&session, RTMPCommand("_result", transactionID: 4, arguments: [1]))
        _ = session.takeOutput()
        session.stop()
        #expect(try ClientSessionTests.commands(&session).map(\.name) == ["deleteStream"])
    }

    @Test("Refusals name their reason")
    func refusalsNameTheirReason() throws {
        func refusal(_ step: Int, _ command: RTMPCommand) throws -> RTMPStatus? {
            var session = try ClientSessionTests.client()
            if step > 0 { _ = try ClientSessionTests.give(&session, ClientSessionTests.success) }
            if step > 1 {
                _ = try ClientSessionTests.give(
                    &session, RTMPCommand("_result", transactionID: 4, arguments: [1]))
            }
            if step > 2 {
                _ = try ClientSessionTests.give(&session, ClientSessionTests.status("NetStream.Publish.Start"))
            }
            guard case .refused(let status) = try ClientSessionTests.give(&session, command).first else { return nil }
            return status
        }
        let rejected = AMFValue.object(["level": "error", "code": "NetConnection.Connect.Rejected"])
        #expect(
            try refusal(0, RTMPCommand("_error", transactionID: 1, arguments: [rejected]))?.code
                == "NetConnection.Connect.Rejected")
        #expect(
            try refusal(0, RTMPCommand("_result", transactionID: 1, arguments: [rejected]))?.code
                == "NetConnection.Connect.Rejected")
        #expect(
            try refusal(1, RTMPCommand("_error", transactionID: 4))
                == RTMPStatus(
                    level: .error, code: "NetConnection.Call.Failed", description: "The server refused createStream."))
        #expect(
            try refusal(2, ClientSessionTests.status("NetStream.Publish.BadName", level: "error"))?.code
                == "NetStream.Publish.BadName")
        #expect(
            try refusal(3, ClientSessionTests.status("NetStream.Publish.Denied", level: "error"))?.code
                == "NetStream.Publish.Denied")
    }

    @Test(
        "A status that ends the publication is understood",
        arguments: [
            "NetConnection.Connect.Closed", "NetStream.Unpublish.Success", "NetConnection.Connect.AppShutdown",
        ])
    func theServerEndsIt(code: String) throws {
        var session = try ClientSessionTests.client()
        let closed = try ClientSessionTests.give(&session, ClientSessionTests.status(code))
        #expect(closed == [.closed(RTMPStatus(level: .status, code: code, description: "d"))])
    }

    @Test("A createStream answer without an id is malformed")
    func createStreamWithoutIDIsMalformed() throws {
        var session = try ClientSessionTests.client()
        _ = try ClientSessionTests.give(&session, ClientSessionTests.success)
        for value in [AMFValue.null, .number(-1), .number(.nan), .number(5e9)] {
            var copy = session
            #expect(
                code {
                    _ = try ClientSessionTests.give(
                        &copy, RTMPCommand("_result", transactionID: 4, arguments: [value]))
                } == .malformedMessage)
        }
    }

    @Test("Each step of a client has a deadline")
    func stepsHaveDeadlines() throws {
        let configuration = ClientConfiguration(purpose: .publish, app: "a", stream: "s", tcURL: "rtmp://h/a")
        let session = ClientSession(configuration: configuration, now: start, seed: 1)
        #expect(session.expired(now: start + .seconds(9)) == nil)
        #expect(session.expired(now: start + .seconds(10))?.message == "The handshake was not completed in time.")
        var connecting = try ClientSessionTests.client()
        #expect(
            connecting.expired(now: start + .seconds(20))?.message == "The server did not answer connect in time.")
        _ = try ClientSessionTests.give(&connecting, ClientSessionTests.success)
        #expect(
            connecting.expired(now: start + .seconds(20))?.message == "The server did not answer createStream in time.")
    }

    @Test("Set Peer Bandwidth is answered with a window")
    func bandwidthIsAnsweredWithAWindow() throws {
        var session = try ClientSessionTests.client()
        _ = session.takeOutput()
        var output = ByteBuffer()
        ChunkEncoder().encode(ProtocolControlMessage.setPeerBandwidth(5_000, .dynamic).message, into: &output)
        try session.receive(output, now: start)
        #expect(try session.nextEvent() == nil)
        let reply = try decode(session.takeOutput() ?? ByteBuffer())
        #expect(reply == [ProtocolControlMessage.windowAcknowledgementSize(5_000).message])
    }
}

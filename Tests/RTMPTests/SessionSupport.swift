import NIOCore
import Testing

@testable import RTMP

/// A client written with the bare layers, to say things a well-behaved one would not.
struct RawClient {
    var session: ServerSession
    var events: [ServerEvent] = []
    private var decoder = ChunkDecoder()

    /// A session past its handshake.
    init(_ configuration: ServerSession.Configuration = .init()) throws {
        session = ServerSession(configuration: configuration, now: start, seed: 1)
        try session.receive(bytes([3] + [UInt8](repeating: 0, count: 3072)), now: start)
        #expect(session.takeOutput()?.readableBytes == 3073)
    }

    /// A session with an accepted connect and `streams` created.
    static func connected(
        streams: Int = 1, _ object: AMFObject = ["app": "live"], configuration: ServerSession.Configuration = .init()
    ) throws -> RawClient {
        var client = try RawClient(configuration)
        try client.send(RTMPCommand("connect", transactionID: 1, object: .object(object)))
        #expect(client.session.acceptConnect() == true)
        for index in 0..<streams {
            try client.send(RTMPCommand("createStream", transactionID: Double(2 + index)))
        }
        client.events = []
        _ = try client.replies()
        return client
    }

    mutating func send(_ message: RTMPMessage, now: NIODeadline = start) throws {
        var output = ByteBuffer()
        ChunkEncoder().encode(message, into: &output)
        try receive(output, now: now)
    }

    mutating func send(_ command: RTMPCommand, streamID: UInt32 = 0) throws {
        try send(command.message(streamID: streamID))
    }

    mutating func receive(_ bytes: ByteBuffer, now: NIODeadline = start) throws {
        try session.receive(bytes, now: now)
        try drain()
    }

    mutating func drain() throws {
        while let event = try session.nextEvent() { events.append(event) }
    }

    /// What the server has sent since the last call.
    mutating func replies() throws -> [RTMPMessage] {
        if let output = session.takeOutput() { try decoder.receive(output, now: start) }
        var messages: [RTMPMessage] = []
        while let message = try decoder.next() { messages.append(message) }
        return messages
    }

    /// The replies in short: `_result 1`, `onStatus NetStream.Play.Start`, `control 0`.
    mutating func summaries() throws -> [String] {
        try replies().map { message in
            switch message.type {
            case .commandAMF0:
                let command = try RTMPCommand(message)
                let code = command.argument(0)["code"]?.string.map { " \($0)" } ?? ""
                return "\(command.name) \(Int(command.transactionID))\(code)"
            case .dataAMF0:
                return "data \(try RTMPDataMessage(message).name)"
            case .userControl:
                return "control \(try UserControlEvent(body: message.body))"
            default:
                return "\(message.type)"
            }
        }
    }
}

import NIOCore
import RTMP

/// What a client puts on the wire, for peers that do not keep to a session's rules.
enum RTMPBytes {
    /// C0, C1 and C2 at once: no server needs to be waited for.
    static let handshake: [UInt8] = [3] + [UInt8](repeating: 0, count: 1_536 * 2)
    /// The chunk size of 16 MiB, so that every message is one chunk.
    static let oneChunk: [UInt8] = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 1, 0, 0, 0]
    /// Everything up to a connection that may ask.
    static func opening(app: String = "demo-origin/live") -> [UInt8] {
        let connect = RTMPCommand(
            "connect", transactionID: 1,
            object: .object(["app": .string(app), "tcUrl": .string("rtmp://127.0.0.1/" + app)]))
        return handshake + oneChunk + message(connect)
    }
    static let createStream = message(RTMPCommand("createStream", transactionID: 2))
    static func play(_ name: String) -> [UInt8] {
        message(RTMPCommand("play", transactionID: 0, arguments: [.string(name)]), stream: 1)
    }
    static func publish(_ name: String) -> [UInt8] {
        message(RTMPCommand("publish", transactionID: 0, arguments: [.string(name), "live"]), stream: 1)
    }
    /// A command that no server knows, and that wants an answer.
    static let unknownCommand = message(type: 20, body: [2, 0, 1, UInt8(ascii: "a"), 0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0])

    static func message(_ command: RTMPCommand, stream: UInt8 = 0) -> [UInt8] {
        message(type: 20, stream: stream, body: Array(command.message(streamID: 0).body.readableBytesView))
    }

    /// One message in one chunk; see `oneChunk`.
    static func message(type: UInt8, stream: UInt8 = 0, body: [UInt8]) -> [UInt8] {
        let length = [UInt8(body.count >> 16 & 255), UInt8(body.count >> 8 & 255), UInt8(body.count & 255)]
        return [3, 0, 0, 0] + length + [type, stream, 0, 0, 0] + body
    }

    /// An aggregate message of `count` parts alike (RTMP 1.0 §7.1.6).
    static func aggregate(type: UInt8, body: [UInt8], count: Int, stream: UInt8 = 0) -> [UInt8] {
        let part =
            [type, 0, UInt8(body.count >> 8), UInt8(body.count & 255), 0, 0, 0, 0, 0, 0, 0] + body + [0, 0, 0, 0]
        return message(type: 22, stream: stream, body: [[UInt8]](repeating: part, count: count).flatMap { $0 })
    }
}

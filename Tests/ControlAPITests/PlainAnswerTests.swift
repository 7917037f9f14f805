import Foundation
import Testing

@testable import ControlAPI

/// Replies say what is so, and what to do where it is not what was meant.
struct PlainAnswerTests {
    @Test(
        "A server's status is its own, under any of its names, and of no other server",
        arguments: [
            ("origin.example", true), ("ORIGIN.example:8080", true),
            ("rtmp://origin.example:1935/demo-origin/live", true),
            ("demo-origin.secdn.net", true), ("demo-live.cdn.example", true), ("demo-chorigin", true),
            ("localhost", true), ("127.0.0.1:8080", true), ("[::1]:8080", true), ("::1", true),
            ("elsewhere.example", false), ("jb-origin.secdn.net", false), ("demo-originx.secdn.net", false),
            ("origin.example.evil.example", false), ("192.0.2.1", false), ("127.0.0.1.evil.example", false),
        ])
    func statusOfServers(origin: String, isOurs: Bool) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let reply = try await api.call("server.status", ["origin_url": .string(origin)])
            #expect(reply.code == (isOurs ? 2701 : 2740), "\(reply.text)")
            if !isOurs {
                #expect(reply.message == "\(origin) is not this server, which is origin.example")
                #expect(reply["uptime"] == nil)
            }
        }
    }

    @Test("The address of a user of every stream names a stream, not a star")
    func addressOfEveryStream() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let added = try await api.call(
                "sevu.addstreamuser", ["app": "demo-origin", "stream": "*", "user": "u", "pass": "p"])
            #expect(
                added["playback_url"] == "http://origin.example:8080/demo-origin/play/STREAM/playlist.m3u8")
        }
    }

    @Test(
        "A wrong clock is told how wrong it is",
        arguments: [
            (1_699_999_600, "server time N is 1700000000, yours N-400"),
            (1_700_000_301, "server time N is 1700000000, yours N+301"),
            (1_700_000_000_000, "server time N is 1700000000, yours N+1698300000000 (in milliseconds?)"),
            (.integer(.max), "server time N is 1700000000, yours N+9223372035154775807 (in milliseconds?)"),
            (.integer(.min), "server time N is 1700000000"),
            ("now", "server time N is 1700000000, yours is no number"),
            (nil, "server time N is 1700000000, yours is no number"),
        ] as [(JSONValue, String)])
    func wrongClock(timestamp: JSONValue, end: String) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let object: JSONObject = [
                "command": "app.list", "api_key": .string(TestAPI.publicKey), "timestamp": timestamp, "cdn": 158,
                "signature": "x",
            ]
            let reply = TestReply(await api.post(String(decoding: JSONWriter.write(object), as: UTF8.self)))
            #expect(reply.code == 2)
            #expect(reply.message == "Timestamp outside of the valid range, use UTC and not local time: \(end)")
        }
    }

    @Test(
        "A command that is none is answered with the one that was meant",
        arguments: [
            ("sevu.requst", "Unrecognized API Command, did you mean sevu.request?"),
            ("SEVU.STATUS", "Unrecognized API Command, did you mean sevu.status?"),
            ("sevu.attempt", "Unrecognized API Command, did you mean sevu.attempts?"),
            ("channel.addchannel", "Unrecognized API Command"),
            (String(repeating: "sevu.request", count: 1_000), "Unrecognized API Command"),
        ])
    func meantCommand(name: String, message: String) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let reply = try await api.call(name)
            #expect(reply.code == 0)
            #expect(reply.message == message)
        }
    }
}

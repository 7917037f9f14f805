import Foundation
import RTMP
import Storage
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

    @Test("Fields that are kept without effect are named in the reply, and marked in the documentation")
    func notYet() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let name: JSONObject = ["app": "demo-origin", "stream": "s"]
            let added = try await api.call(
                "sevu.addstreamuser",
                [
                    "app": "demo-origin", "stream": "s", "user": "u", "pass": "p", "record": 1, "enable_dvr": true,
                    "ga_key": "", "playlist_count": 5,
                ])
            #expect(added["not_yet"] == ["record", "enable_dvr"])
            var fields = name
            for (field, value) in [
                ("record_type", "stream"), ("segment_type", "size"), ("segment_value", "5"), ("save_folder", "f"),
                ("ga_key", "k"), ("reconnect_window", 5),
            ] as [(String, JSONValue)] {
                fields[field] = value
            }
            let updated = try await api.call("sevu.updatestream", fields)
            #expect(
                updated["not_yet"] == ["record_type", "segment_type", "segment_value", "save_folder", "ga_key"])
            #expect(try await api.call("sevu.updatestream", name)["not_yet"] == nil)
            let push: JSONObject = [
                "service_name": "rtmp", "url": "rtmp://live.example.com/app/key", "adaptive_group": "g",
                "push_source": false,
            ]
            #expect(try await api.call("pushpublish.add", push)["not_yet"] == ["adaptive_group", "push_source"])
            let changed = try await api.call("pushpublish.update", ["push_service_id": 1, "push_source": true])
            #expect(changed["not_yet"] == ["push_source"])
        }
        let row = CommandRegistry.markdown.split(separator: "\n").first { $0.hasPrefix("| `enable_dvr` |") }
        #expect(row?.hasSuffix("Whether viewers may rewind. **Not yet**: kept, and without effect. |") == true)
    }

    @Test(
        "A ticket that is hardly meant is made, and the reply says why it is hardly meant",
        arguments: [
            ("s", "demo-origin", "+1 day", nil),
            ("s", "demo-origin", "2020-01-01", ["the ticket has expired already"]),
            ("mysteram", "demo-origin", "+1 day", ["nobody may publish a stream mysteram yet"]),
            ("mysteram", "demo-live", "", ["nobody may publish a stream mysteram yet"]),
            ("s|t", "demo-origin", "+1 day", ["nobody may publish a stream t yet"]),
            ("s|anything", "demo-origin|demo-chorigin", "+1 day", nil),
            ("s_360p", "demo-origin", "+1 day", nil), ("mp4:s", "demo-origin", "", nil),
            ("s*", "demo-origin", "", nil), ("film.mp4", "demo-vod", "", nil), ("t", "demo-*", "", nil),
        ] as [(String, String, String, JSONValue?)])
    func warnings(video: String, app: String, expire: String, expected: JSONValue?) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            for (app, stream) in [("demo-origin", "s"), ("demo-chorigin", "*")] {
                try await api.call(
                    "sevu.addstreamuser", ["app": .string(app), "stream": .string(stream), "user": "u", "pass": "p"])
            }
            let fields: JSONObject = [
                "app": .string(app), "video": .string(video), "pass": "p", "ip": "auto", "uses": 1,
                "expire": .string(expire),
            ]
            // Twice, since what is known of streams is kept.
            for _ in 1...2 {
                let reply = try await api.call("sevu.request", fields)
                #expect(reply.code == 2000)
                #expect(reply["warnings"] == expected, "\(reply.text)")
            }
            let many = try await api.call(
                "sevu.requestmany",
                [
                    "app": .string(app), "video": .string(video), "passes": ["a", "b"], "ip": "auto", "uses": 1,
                    "expire": .string(expire),
                ])
            #expect(many["warnings"] == expected)
        }
    }

    @Test("A stream user gets another password in its place")
    func otherPassword() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let name: JSONObject = ["app": "demo-origin", "stream": "s", "user": "ann"]
            var fields = name
            fields["pass"] = "wonderland"
            let id = try #require(try await api.call("sevu.addstreamuser", fields)["streamuser_id"])
            let before = try #require(try await api.store.streamUser(id: 1))
            fields["pass"] = "looking-glass"
            #expect(try await api.call("sevu.updatestreamuser", fields).code == 2105)
            let after = try #require(try await api.store.streamUser(id: 1))
            #expect(Password.verify("looking-glass", hash: after.passwordHash ?? ""))
            #expect(!Password.verify("wonderland", hash: after.passwordHash ?? ""))
            #expect(after.challengeSalt == before.challengeSalt)
            let salt = try #require(after.challengeSalt)
            #expect(
                try after.challengeVerifier(with: api.service.environment.secret)
                    == AdobeAuthentication.verifier(user: "ann", salt: salt, password: "looking-glass"))

            #expect(try await api.call("sevu.updatestreamuser", ["streamuser_id": id, "pass": "third"]).code == 2105)
            let third = try #require(try await api.store.streamUser(id: 1))
            #expect(Password.verify("third", hash: third.passwordHash ?? ""))
            #expect(try await api.call("sevu.updatestreamuser", name).message?.hasSuffix(": pass") == true)
            fields["user"] = "bob"
            #expect(try await api.call("sevu.updatestreamuser", fields).code == 2140)
            let foreign = try await api.call(
                "sevu.updatestreamuser", ["streamuser_id": id, "pass": "stolen"], key: api.other)
            #expect(foreign.code == 2140)
            try await api.call(
                "sevu.addstreamuser", ["app": "demo-origin", "stream": "open", "user": .null, "pass": .null])
            let open = try await api.call("sevu.updatestreamuser", ["streamuser_id": 2, "pass": "p"])
            #expect(open.code == 7)
        }
    }
}

import Basics
import Foundation
import Storage
import Testing
import Usher

@testable import ControlAPI

/// The two documented samples: their requests taken as they are, their replies given as they are.
struct SeedTests {
    /// What `json_encode` makes of the sample's array: members given twice stand once, where they stood first.
    private static let disconnect: JSONObject = [
        "push_service_id": 1234, "app": "demo-origin", "inst": "live", "stream": "stream1",
        "entry_name": "session_1", "origin_url": "jb-origin.secdn.net",
    ]

    private func connect(_ api: TestAPI, _ name: String, stream: String = "stream1") async throws {
        let reply = try await api.call(
            "pushpublish.connect",
            [
                "service_name": "rtmp", "url": .string("rtmp://live.example.com/app/\(name)-\(stream)-key"),
                "app": "demo-origin", "inst": "live", "stream": .string(stream), "entry_name": .string(name),
            ])
        #expect(reply["entry_name"] == .string(name))
    }

    private func running(_ api: TestAPI) async -> [String] {
        await api.pushes.statuses(accountID: 158).map(\.entryName)
    }

    @Test("A disconnect ends the session it names")
    func disconnectEndsTheNamedSession() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await connect(api, "session_1")
            try await connect(api, "session_2")
            let reply = try await api.call("pushpublish.disconnect", Self.disconnect)
            #expect(
                reply.normalized
                    == #"{"message":"session_1 disconnected","status":"success","handle_time":"T"}"#)
            #expect(await running(api) == ["session_2"])
        }
    }

    @Test("A disconnect without a session's name falls back to the stored service")
    func disconnectFallsBackToTheStoredService() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            var push = PushService(
                accountID: 158, name: "cupertino-akamai", service: "rtmp", app: "demo-origin", instance: "live",
                stream: "stream1", destination: ["url": "rtmp://live.example.com/app/key"], created: api.clock.now,
                updated: api.clock.now)
            push = try await api.store.insertPush(push)
            try await api.call("pushpublish.connect", ["push_service_id": .integer(push.id)])
            var request = Self.disconnect
            request["push_service_id"] = .integer(push.id)
            let reply = try await api.call("pushpublish.disconnect", request)
            #expect(
                reply.normalized
                    == #"{"message":"cupertino-akamai disconnected","status":"success","handle_time":"T"}"#)
            #expect(await running(api).isEmpty)
        }
    }

    @Test("A disconnect by the service is narrowed by the other fields given")
    func disconnectByTheServiceIsNarrowedByWhatElseIsGiven() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let push = try await api.store.insertPush(
                PushService(
                    accountID: 158, name: "tv", service: "rtmp",
                    destination: ["url": "rtmp://live.example.com/app/key"],
                    created: api.clock.now, updated: api.clock.now))
            let id = JSONValue.integer(push.id)
            for stream in ["one", "two"] {
                let reply = try await api.call(
                    "pushpublish.connect",
                    ["push_service_id": id, "app": "demo-origin", "stream": .string(stream)])
                #expect(reply.code == 2304, "\(reply.text)")
            }
            #expect(await running(api) == ["tv", "tv_2"])
            let narrowed = try await api.call("pushpublish.disconnect", ["push_service_id": id, "stream": "two"])
            #expect(narrowed.message == "tv_2 disconnected")
            #expect(await running(api) == ["tv"])
            let rest = try await api.call("pushpublish.disconnect", ["push_service_id": id])
            #expect(rest.message == "tv disconnected")
            let none = try await api.call("pushpublish.disconnect", ["push_service_id": id])
            #expect(none.code == 2340)
            #expect(none.message == "tv is not connected")
        }
    }

    @Test("A star disconnects the pushes of the whole instance")
    func aStarDisconnectsTheWholeInstance() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await connect(api, "session_1")
            try await connect(api, "session_2", stream: "stream2")
            let star: JSONObject = ["app": "demo-origin", "inst": "live", "entry_name": "*"]
            let reply = try await api.call("pushpublish.disconnect", star)
            #expect(reply.normalized == #"{"message":"* disconnected","status":"success","handle_time":"T"}"#)
            #expect(await running(api).isEmpty)
            let again = try await api.call("pushpublish.disconnect", star)
            #expect(
                again.normalized
                    == #"{"code":2340,"message":"* is not connected","status":"failure","handle_time":"T"}"#)
        }
    }

    @Test("A disconnect of nothing names the session asked for")
    func disconnectOfNothingNamesTheSession() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let reply = try await api.call("pushpublish.disconnect", Self.disconnect)
            #expect(
                reply.normalized
                    == #"{"code":2340,"message":"session_1 is not connected","status":"failure","handle_time":"T"}"#)
        }
    }

    // MARK: - errorcount

    private static let count: JSONObject = [
        "key": "mystream.53ffc996dd39d5.39102367", "app": "demo-origin", "video": "mystream", "ip": "192.168.0.0",
        "pass": "unique_random_string_per_request", "success": 1, "limit": "25", "seek": "0",
    ]

    /// Four admitted attempts of the sample's viewer, and others that differ in one filter each.
    static func attempts(_ api: TestAPI) async throws {
        func attempt(
            key: String = "mystream.53ffc996dd39d5.39102367", app: String = "demo-origin", video: String = "mystream",
            ip: String = "192.168.0.0", pass: String = "unique_random_string_per_request", isSuccess: Bool = true,
            reason: String = "", accountID: AccountID = 158
        ) async throws {
            let facts = ViewerFacts(key: key, pass: pass, address: ip, app: app, instance: "play", video: video)
            // A window of no length: nothing folds.
            api.store.recordRefusal(
                Attempt(accountID: accountID, date: api.clock.now, facts: facts, isSuccess: isSuccess, reason: reason),
                foldingWindow: 0)
            api.clock.advance(1)
        }
        for _ in 1...4 { try await attempt() }
        try await attempt(key: "k")
        try await attempt(app: "demo-vod")
        try await attempt(video: "mystream2")
        try await attempt(ip: "192.168.0.1")
        try await attempt(pass: "p")
        try await attempt(isSuccess: false, reason: "Invalid IP Address")
        try await attempt(accountID: 200)
    }

    @Test("errorcount answers the documented sample")
    func errorcountAnswersTheSample() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await Self.attempts(api)
            let reply = try await api.call("sevu.errorcount", Self.count)
            #expect(
                reply.normalized
                    == #"{"code":2051,"message":"ScaleEngine Virtual Usher unsuccessful tickets attempts found","#
                    + #""status":"success","error_count":4,"handle_time":"T"}"#)
        }
    }

    @Test(
        "errorcount counts what matches every filter",
        arguments: [
            (["success": 0], 1), ([:], 10), (["limit": 3], 3), (["seek": "8"], 2), (["seek": 8, "limit": "1"], 1),
            (["seek": 25, "limit": 25], 0), (["limit": 0], 0), (["ip": "192.168.0.0/24"], 10), (["ip": "10.0.0.1"], 0),
            (["app": "demo-*"], 10), (["app": "*-vod"], 1), (["app": "demo-live"], 9), (["video": "mystream*"], 10),
            (["Key": "k"], 1),
            (["key": "k", "Key": "x"], 1), (["key": ""], 10), (["pass": "p"], 1), (["app": "other-origin"], 0),
            (["nonsense": [1, 2]], 10), (["success": nil], 10), (["success": "1"], 9), (["success": false], 1),
        ] as [(JSONObject, Int)])
    func errorcountCountsWhatMatchesEveryFilter(filter: JSONObject, expected: Int) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await Self.attempts(api)
            let reply = try await api.call("sevu.errorcount", filter)
            #expect(reply["error_count"] == .int(expected), "\(reply.text)")
        }
    }

    @Test("errorlog lists rows whose values are strings")
    func errorlogListsRowsOfStrings() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await Self.attempts(api)
            let reply = try await api.call("sevu.attempts", ["success": "0", "starttime": "2023-11-14"])
            #expect(
                reply.normalized
                    == #"{"code":2050,"message":"ScaleEngine Virtual Usher ticket attempts found","status":"success","#
                    + #""attempts":[{"id":"10","datetime":"2023-11-14 22:13:29","#
                    + #""key":"mystream.53ffc996dd39d5.39102367","pass":"unique_random_string_per_request","#
                    + #""ip":"192.168.0.0","video":"mystream","app":"demo-origin","appinst":"play","pageurl":"","#
                    + #""refurl":"","success":"0","reason":"Invalid IP Address","server_ip":"","repeats":"1"}],"#
                    + #""handle_time":"T"}"#)
            let second = try await api.call("sevu.errorlog", ["limit": "1", "seek": "1"])
            #expect(second["attempts"]?.arrayValue?.count == 1)
            #expect(second["attempts"]?.arrayValue?.first?["pass"] == "p")
            let none = try await api.call("sevu.errorlog", ["datetime": "2030-01-01 00:00:00"])
            #expect(none["attempts"] == [])
        }
    }

    // MARK: - The programs

    /// Runs a sample with the address changed, and nothing else.
    private func run(_ name: String, _ api: TestAPI) async throws -> String {
        // The program takes the time from its machine.
        api.clock.set(Date())
        let program = String(decoding: try fixture(name), as: UTF8.self)
        var output = ""
        try await Listener.run(api.service) { url in
            let changed = program.replacing("https://api.scaleengine.net/stable/", with: url)
            output = String(decoding: try await Program.run(["php"], input: Array(changed.utf8)), as: UTF8.self)
        }
        return normalizeHandleTime(output)
    }

    @Test("The documented program that disconnects works")
    func theDisconnectProgramWorks() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await connect(api, "session_1")
            let output = try await run("disconnect.php", api)
            #expect(
                output == """
                    Array
                    (
                        [message] => session_1 disconnected
                        [status] => success
                        [handle_time] => T
                    )

                    """)
            #expect(await running(api).isEmpty)
        }
    }

    @Test("The documented program that counts attempts works")
    func theErrorcountProgramWorks() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await Self.attempts(api)
            let output = try await run("errorcount.php", api)
            #expect(
                output == """
                    Array
                    (
                        [code] => 2051
                        [message] => ScaleEngine Virtual Usher unsuccessful tickets attempts found
                        [status] => success
                        [error_count] => 4
                        [handle_time] => T
                    )

                    """)
        }
    }
}

import Basics
import Foundation
import Storage
import Testing

@testable import ControlAPI

/// What belongs to one account is to every other as if it did not exist.
struct ScopeTests {
    @Test("An account sees its own tickets only")
    func tickets() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let ticket: JSONObject = ["app": "demo-*", "video": "v", "pass": "p", "ip": "auto", "uses": 1]
            let key = try #require(try await api.call("sevu.request", ticket)["ticket"]?["key"])
            for command in ["sevu.status", "sevu.revoke"] {
                let foreign = try await api.call(command, ["key": key], key: api.other)
                let invented = try await api.call(command, ["key": "invented"], key: api.other)
                #expect(foreign.code == 2040)
                #expect(foreign.normalized == invented.normalized)
            }
            #expect(try await api.call("sevu.status", ["key": key])["active"] == "1")
            let foreign = try await api.call("sevu.request", ticket, key: api.other)
            #expect(foreign.code == 7)
            #expect(
                foreign.message
                    == "One or more fields are not valid: app must be applications of the account, which begin with other-, or *"
            )
        }
    }

    @Test("An account sees its own attempts only")
    func attempts() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await SeedTests.attempts(api)
            #expect(try await api.call("sevu.errorcount", key: api.other)["error_count"] == 1)
            #expect(try await api.call("sevu.errorlog", key: api.other)["attempts"]?.arrayValue?.count == 1)
            let pass: JSONObject = ["pass": "p"]
            #expect(try await api.call("sevu.errorcount", pass, key: api.other)["error_count"] == 0)
        }
    }

    /// Every command that takes an `app`, with another account's app and with one that nobody has.
    @Test(
        "An account uses its own applications only",
        arguments: [
            "sevu.addstreamuser", "sevu.liststreamusers", "sevu.retrievestreamuser", "sevu.removestreamuser",
            "sevu.updatestream", "stream.active", "stream.details", "stream.close", "pushpublish.add",
            "pushpublish.connect", "pushpublish.disconnect", "log.origin", "server.status", "viewer.live",
            "viewer.livedetailed", "vsn.viewercount", "vsn.viewerhistorybyname", "usage.all", "usage.vse",
            "video.usage", "video.cdn", "video.cdnlong", "video.servers", "video.streams",
        ])
    func apps(command: String) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await api.call("sevu.addstreamuser", ["app": "demo-origin", "stream": "s", "user": "u", "pass": "p"])
            let publication = try await api.publish("s")
            func fields(_ app: String) -> JSONObject {
                [
                    "app": .string(app), "inst": "live", "stream": "s", "user": "u", "pass": "p",
                    "service_name": "rtmp",
                    "url": "rtmp://live.example.com/app/secretkey", "entry_name": "tv", "year": 2026, "month": 11,
                ]
            }
            let foreign = try await api.call(command, fields("demo-origin"), key: api.other)
            let invented = try await api.call(command, fields("nobody-origin"), key: api.other)
            #expect(foreign.code == 7, "\(foreign.text)")
            #expect(foreign.normalized == invented.normalized)
            #expect(
                foreign.message
                    == "One or more fields are not valid: app must be an application of the account, which begins with other-"
            )
            #expect(await api.stage.onAir().count == 1)
            #expect(try await api.store.streamUsers(accountID: 158, app: nil, stream: nil).count == 1)
            publication.end(isOrderly: true)
        }
    }

    @Test("Ids of another account's objects are answered as not found")
    func idsOfOthers() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let user = try await api.call(
                "sevu.addstreamuser", ["app": "demo-origin", "stream": "s", "user": "u", "pass": "p"])
            let push = try await api.call(
                "pushpublish.add", ["service_name": "rtmp", "url": "rtmp://live.example.com/app/secretkey"])
            let id = try #require(push["push_service_id"])
            try await api.call(
                "pushpublish.connect", ["push_service_id": id, "app": "demo-origin", "stream": "s"])
            let userID = try #require(user["streamuser_id"])
            let streamID = try #require(user["stream_id"])
            _ = try await api.publish("s")
            for (command, fields, code) in [
                ("sevu.retrievestreamuser", ["streamuser_id": userID], 2140),
                ("sevu.removestreamuser", ["streamuser_id": userID], 2140),
                ("sevu.updatestream", ["stream_id": streamID, "protection": "sevu"], 2142),
                ("stream.close", ["stream_id": streamID], 2142), ("pushpublish.update", ["push_service_id": id], 2341),
                ("pushpublish.remove", ["push_service_id": id], 2341),
                ("pushpublish.connect", ["push_service_id": id, "app": "other-origin", "stream": "s"], 2341),
                ("pushpublish.disconnect", ["push_service_id": id], 2340),
            ] as [(String, JSONObject, Int)] {
                let reply = try await api.call(command, fields, key: api.other)
                #expect(reply.code == code, "\(command) \(reply.text)")
            }
            let disconnect = try await api.call("pushpublish.disconnect", ["push_service_id": id], key: api.other)
            #expect(disconnect.message?.hasSuffix(" is not connected") == true)
            #expect(disconnect.message?.contains("tv") == false)
            #expect(try await api.call("pushpublish.services", key: api.other)["services"] == [])
            #expect(try await api.call("sevu.liststreamusers", key: api.other)["stream_users"] == [])
            // Nothing has happened to the owner's.
            #expect(await api.pushes.statuses(accountID: 158).count == 1)
            #expect(try await api.store.push(id: 1, accountID: 158) != nil)
            #expect(try await api.store.stream(id: 1)?.protection == nil)
            #expect(await api.stage.onAir().count == 1)
        }
    }

    @Test("An account sees its own streams on air only")
    func streamsOnAir() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            _ = try await api.publish("s")
            _ = try await api.publish("t", app: "other-origin", accountID: 200)
            let mine = try await api.call("stream.active", ["app": "demo-origin", "inst": "live"])
            #expect(mine["streams"]?.arrayValue?.map { $0["name"] } == ["s"])
            let theirs = try await api.call("stream.active", ["app": "other-origin", "inst": "live"], key: api.other)
            #expect(theirs["streams"]?.arrayValue?.map { $0["name"] } == ["t"])
            #expect(try await api.call("server.status", ["origin_url": "demo-origin.secdn.net"])["streams"] == 1)
        }
    }
}

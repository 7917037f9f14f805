import Basics
import ControlAPI
import Foundation
import TestSupport
import Testing

/// Pushes to a real nginx, commanded by the API.
@Suite(.serialized) struct PushTests {
    private struct Scene {
        let origin: OriginProcess
        let account: TestAccount
        let nginx: FarEndNginx

        init() async throws {
            origin = try await OriginProcess(OriginProcess.quick + [OriginProcess.loopbackPushes])
            account = try await origin.account()
            nginx = try FarEndNginx()
            try await nginx.start()
        }

        /// `pushpublish.connect` of stream `s` by address; gives the reply.
        func connect(_ url: String, _ more: JSONObject = [:]) async throws -> JSONObject {
            var fields: JSONObject = [
                "service_name": "rtmp", "app": "demo-origin", "inst": "live", "stream": "s", "url": .string(url),
            ]
            for member in more.members { fields[member.name] = member.value }
            return try await account.call("pushpublish.connect", fields)
        }

        /// - Parameter run: makes one of two calls in the same second another request, and not a repeat of the first.
        func disconnect(_ entryName: String, run: Int64 = 1) async throws -> JSONObject {
            try await account.call(
                "pushpublish.disconnect",
                ["app": "demo-origin", "inst": "live", "entry_name": .string(entryName), "run": .integer(run)])
        }

        func events() async throws -> [JSONObject] {
            let reply = try await account.succeed("log.origin", ["app": "demo-origin", "stream": "s", "limit": 100])
            return reply["events"]?.arrayValue?.compactMap(\.objectValue) ?? []
        }
    }

    @Test("Every access unit arrives at the destination")
    func everyAccessUnitArrivesAtTheFarEnd() async throws {
        let scene = try await Scene()
        let file = try await MediaPacket.makeFile(in: scene.nginx.folder, seconds: 5)
        try await scene.account.openStream("s")
        let begun = try await scene.connect(scene.nginx.url("copy-key"))
        #expect(begun["code"] == 2304)
        #expect(begun["entry_name"] == "rtmp")

        let encoder = try ForeignProgram([
            "ffmpeg", "-v", "error", "-nostdin", "-re", "-i", file, "-c", "copy", "-f", "flv", scene.origin.rtmp("s"),
        ])
        try await eventually("the stream at nginx") { try await scene.nginx.published() == ["copy-key"] }
        let played = scene.nginx.folder.file("played.flv")
        let player = try ForeignProgram([
            "ffmpeg", "-v", "error", "-nostdin", "-i", scene.nginx.url("copy-key"), "-c", "copy", "-f", "flv", played,
        ])
        try await encoder.result()
        try await player.result()
        try await eventually("the end at nginx") { try await scene.nginx.published().isEmpty }

        let sent = try await MediaPacket.all(of: file)
        #expect(sent.count > 300)
        let recorded = try await MediaPacket.all(of: scene.nginx.recording("copy-key"))
        for isVideo in [true, false] {
            #expect(recorded.filter { $0.isVideo == isVideo } == sent.filter { $0.isVideo == isVideo })
        }
        // Whoever plays from there comes late, and from then on misses nothing.
        let seen = try await MediaPacket.all(of: played).filter(\.isVideo).map(\.hash)
        #expect(seen.count >= 25)
        #expect(Array(sent.filter(\.isVideo).map(\.hash).suffix(seen.count)) == seen)
    }

    @Test("A destination that crashes is found again")
    func aFarEndThatCrashesIsFoundAgain() async throws {
        let scene = try await Scene()
        let encoder = try await scene.origin.publish("s", as: scene.account)
        #expect(try await scene.connect(scene.nginx.url("copy-key"), ["entry_name": "main"])["code"] == 2304)
        let connected = try await scene.account.awaitPush("main", of: "s", "Connected")
        #expect(connected["reconnects"] == 0)
        #expect(connected["destination"] == .string(scene.nginx.url("****-key")))
        #expect(connected["push_service_id"] == .null)

        try await scene.nginx.kill()
        let retrying = try await scene.account.awaitPush("main", of: "s", "Retrying")
        #expect(retrying["last_error"] != "")
        #expect(retrying["connected_time"] == "0000-00-00 00:00:00")
        try await scene.nginx.start()
        let again = try await scene.account.awaitPush("main", of: "s", "Connected")
        #expect(again["reconnects"] == 1)
        #expect((again.integer("bytes_sent") ?? 0) > (connected.integer("bytes_sent") ?? .max))
        try await eventually("the stream at nginx") { try await scene.nginx.published() == ["copy-key"] }

        #expect(try await scene.disconnect("main")["message"] == "main disconnected")
        try await eventually("the push in the log") { try await scene.events().first?["event"] == "unpush" }
        // Oldest first; what failed in between may stand there as a push with an error.
        let pushes = try await scene.events().reversed().filter { $0.string("event").hasSuffix("push") }
        let good = pushes.filter { $0["metadata"]?.objectValue?["error"] == nil }
        #expect(good.map { $0.string("event") } == ["push", "unpush", "push", "unpush"])
        for event in good {
            #expect(event["metadata"]?.objectValue?.string("destination") == scene.nginx.url("****-key"))
            #expect(event["metadata"]?.objectValue?.string("entry_name") == "main")
            #expect(event["ip"] == "127.0.0.1")
        }
        #expect(good.first?["metadata"]?.objectValue?["reason"] == nil)
        #expect(good.last?["metadata"]?.objectValue?["reason"] == "disconnected")
        try await encoder.stop()
    }

    @Test("A stored push starts with its stream and is ended by its id")
    func aStoredPushStartsWithItsStreamAndObeysItsId() async throws {
        let scene = try await Scene()
        let account = scene.account
        let added = try await account.succeed(
            "pushpublish.add",
            [
                "service_name": "rtmp", "name": "Main", "app": "demo-origin", "inst": "live", "stream": "s",
                "autopush": true, "url": .string(scene.nginx.url("secret-key-1234")),
            ])
        #expect(added["code"] == 2300)
        let id = try #require(added["push_service_id"])
        let other = try await account.succeed(
            "pushpublish.add",
            [
                "service_name": "rtmp", "name": "Other", "dst_host": "127.0.0.1", "dst_app": "live",
                "dst_port": .int(scene.nginx.port), "dst_stream": "another-key", "dst_user": "u",
                "dst_pass": "pass-word",
            ])
        let otherID = try #require(other["push_service_id"])

        func services(_ filters: JSONObject) async throws -> [JSONObject] {
            let reply = try await account.succeed("pushpublish.services", ["filters": .object(filters)])
            #expect(reply["code"] == 2303)
            return reply["services"]?.arrayValue?.compactMap(\.objectValue) ?? []
        }
        #expect(try await services([:]).map { $0.string("name") } == ["Main", "Other"])
        #expect(try await services(["autopush": "1", "stream": "s"]).map { $0["push_service_id"] } == [id])
        #expect(try await services(["name": "Nobody"]).isEmpty)
        let shown = try await services(["name": "Other"])
        #expect(shown.first?["dst_stream"] == "****-key")
        #expect(shown.first?["dst_pass"] == "****word")
        let all = try await account.succeed("pushpublish.services").text
        #expect(!all.contains("secret-key-1234") && !all.contains("another-key") && !all.contains("pass-word"))

        let encoder = try await scene.origin.publish("s", as: account)
        let row = try await account.awaitPush("Main", of: "s", "Connected")
        #expect(row["push_service_id"] == id)
        #expect(try await scene.nginx.published() == ["secret-key-1234"])
        #expect(try await account.call("pushpublish.connect", ["push_service_id": id])["code"] == 2342)

        // What is stored without a source is given one at connect; its update replaces the destination as a whole.
        let update: JSONObject = ["push_service_id": otherID, "url": .string(scene.nginx.url("updated-key"))]
        #expect(try await account.succeed("pushpublish.update", update)["code"] == 2301)
        let connected = try await account.succeed(
            "pushpublish.connect",
            ["push_service_id": otherID, "app": "demo-origin", "stream": "s", "entry_name": "by hand"])
        #expect(connected["entry_name"] == "by hand")
        try await account.awaitPush("by hand", of: "s", "Connected")
        #expect(try await scene.nginx.published() == ["secret-key-1234", "updated-key"])

        // A session outlives its stored push, and still ends by its id.
        #expect(try await account.succeed("pushpublish.remove", ["push_service_id": otherID])["code"] == 2302)
        #expect(try await account.call("pushpublish.remove", ["push_service_id": otherID, "again": 1])["code"] == 2341)
        #expect(try await account.pushes(of: "s").count == 2)
        let ended = try await account.call("pushpublish.disconnect", ["push_service_id": otherID])
        #expect(ended.names == ["message", "status", "handle_time"])
        #expect(ended["message"] == "by hand disconnected")
        try await eventually("the end at nginx") { try await scene.nginx.published() == ["secret-key-1234"] }

        // Disconnected, an autopush stays away until the stream is published anew.
        #expect(
            try await account.call("pushpublish.disconnect", ["push_service_id": id])["message"] == "Main disconnected")
        #expect(try await account.pushes(of: "s").isEmpty)
        try await encoder.stop()
        try await eventually("off the air") { try await account.details("s") == nil }
        let next = try TinyEncoder(to: scene.origin.rtmp("s"))
        try await account.awaitOnAir("s", next)
        try await account.awaitPush("Main", of: "s", "Connected")
        try await next.stop()
    }

    @Test("A star ends all pushes of the instance")
    func aStarEndsAllPushesOfTheInstance() async throws {
        let scene = try await Scene()
        let encoder = try await scene.origin.publish("s", as: scene.account)
        #expect(try await scene.connect(scene.nginx.url("one-stream"))["entry_name"] == "rtmp")
        #expect(try await scene.connect(scene.nginx.url("two-stream"))["entry_name"] == "rtmp_2")
        try await scene.account.awaitPush("rtmp", of: "s", "Connected")
        try await scene.account.awaitPush("rtmp_2", of: "s", "Connected")
        #expect(try await scene.nginx.published() == ["one-stream", "two-stream"])

        let reply = try await scene.disconnect("*")
        #expect(reply.names == ["message", "status", "handle_time"])
        #expect(reply["message"] == "* disconnected")
        #expect(reply["status"] == "success")
        #expect(try await scene.account.pushes(of: "s").isEmpty)
        try await eventually("the end at nginx") { try await scene.nginx.published().isEmpty }
        let nothing = try await scene.disconnect("*", run: 2)
        #expect(nothing["code"] == 2340)
        #expect(nothing["message"] == "* is not connected")
        try await encoder.stop()
    }

    @Test("A refused push shows why")
    func aRefusedPushShowsWhy() async throws {
        let scene = try await Scene()
        let encoder = try await scene.origin.publish("s", as: scene.account)

        // A name somebody else publishes under: nginx says NetStream.Publish.BadName.
        let owner = try TinyEncoder(to: scene.nginx.url("taken-key"))
        try await eventually("the owner at nginx") { try await scene.nginx.published() == ["taken-key"] }
        _ = try await scene.connect(scene.nginx.url("taken-key"), ["entry_name": "taken"])
        let taken = try await scene.account.awaitPush("taken", of: "s", "Failed")
        #expect(
            taken["last_error"] == "the destination refuses the stream (NetStream.Publish.BadName: Already publishing)")
        #expect(taken["bytes_sent"] == 0)
        try await owner.stop()

        // A stream that needs a login: another origin's, or this one's own.
        try await scene.account.succeed(
            "sevu.addstreamuser", ["app": "demo-origin", "stream": "locked", "user": "u", "pass": "p"])
        _ = try await scene.connect(scene.origin.rtmp("locked"), ["entry_name": "locked"])
        let locked = try await scene.account.awaitPush("locked", of: "s", "Failed")
        #expect(locked.string("last_error").hasPrefix("the destination refuses the stream (NetStream.Publish."))

        // nginx' on_publish gate says nothing and hangs up, which a restart looks like as well: it is tried again.
        _ = try await scene.connect(scene.nginx.url("wrong-key", app: "keyed"), ["entry_name": "keyed"])
        let keyed = try await scene.account.awaitPush("keyed", of: "s", "Retrying")
        #expect(
            keyed["last_error"]
                == "the destination closed the connection before its answer to publish (often a wrong stream key)")
        #expect(keyed["bytes_sent"] == 0)
        #expect(keyed["reconnects"] == 0)
        try await encoder.stop()
    }

    @Test("Loopback is refused unless the configuration allows it")
    func loopbackIsRefusedUnlessTheConfigurationAllowsIt() async throws {
        let origin = try await OriginProcess(OriginProcess.quick)
        let account = try await origin.account()
        let nginx = try FarEndNginx()
        try await nginx.start()
        let encoder = try await origin.publish("s", as: account)
        var request: JSONObject = [
            "service_name": "rtmp", "app": "demo-origin", "inst": "live", "stream": "s", "entry_name": "inward",
            "url": .string(nginx.url("copy-key")),
        ]
        // An address is refused at once; a name fails when it has been looked up.
        let refused = try await account.call("pushpublish.connect", request)
        #expect(refused["code"] == 2343)
        #expect(refused["message"] == "pushes may not go to 127.0.0.1 (push.allow_private)")
        request["url"] = .string("rtmp://localhost:\(nginx.port)/live/copy-key")
        try await account.succeed("pushpublish.connect", request)
        let row = try await account.awaitPush("inward", of: "s", "Failed")
        let reason = row["last_error"]
        #expect(row.string("last_error").hasSuffix("where pushes may not go (push.allow_private)"))
        #expect(row["bytes_sent"] == 0)
        var logged: JSONObject?
        try await eventually("the failure in the log") {
            let reply = try await account.succeed("log.origin", ["app": "demo-origin", "stream": "s"])
            logged = reply["events"]?.arrayValue?.first?.objectValue
            return logged?["event"] == "push"
        }
        #expect(logged?["metadata"]?.objectValue?["error"] == reason)
        #expect(try await nginx.published().isEmpty)
        try await encoder.stop()
    }
}

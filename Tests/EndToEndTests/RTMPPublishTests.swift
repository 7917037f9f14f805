import ControlAPI
import NIOCore
import RTMP
import TestSupport
import Testing

/// Encoders of several makers, and who of them is let in.
@Suite(.serialized) struct RTMPPublishTests {
    /// ffmpeg is the publisher of the play tests; these are GStreamer's own RTMP, and librtmp in GStreamer.
    @Test("Encoders other than ffmpeg publish every access unit", arguments: ["rtmp2sink", "rtmpsink"])
    func otherEncodersPublishEveryAccessUnit(_ sink: String) async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let folder = try Folder()
        // What GStreamer makes of the file without a server between.
        let reference = folder.file("reference.flv")
        let written = try await Encoder.gstreamer(source, sink: ["filesink", "location=\(reference)"]).result()
        #expect(written.status == 0, "\(written.errors)")

        let location = sink == "rtmp2sink" ? origin.rtmp("show") : origin.rtmp("show") + " live=1"
        let encoder = try Encoder.gstreamer(source, sink: [sink, "location=\(location)"])
        try await origin.untilPublished("show")
        let player = try Player(.ffmpeg, origin.rtmp("show"), into: folder)
        let result = try await encoder.result()
        #expect(result.status == 0, "\(result.errors)")
        expectSuffix(
            try await player.packets(), of: try await StreamPackets(file: reference), viewer: player.program.name)
        #expect(origin.logLines("publisher ended", "stream=demo-origin/live/show") == 1)
    }

    @Test("Credentials are taken from the stream name and from the application")
    func credentialsAreTakenFromTheStreamNameAndFromTheApplication() async throws {
        let source = try await SourceMedia.videoOnly()
        let origin = try await OriginProcess()
        let account = try await origin.account()
        try await account.succeed(
            "sevu.addstreamuser", ["app": "demo-origin", "stream": "cam", "user": "cam1", "pass": "s3 cret&more"])
        let login = "?user=cam1&pass=s3%20cret%26more"
        let urls = [
            origin.rtmp("cam", query: login), "rtmp://127.0.0.1:\(origin.rtmpPort)/demo-origin/live\(login)/cam",
        ]
        for (index, url) in urls.enumerated() {
            let encoder = try Encoder.ffmpeg(source, to: url, before: ["-readrate", "5"], seconds: 2)
            try await origin.untilPublished("cam", index + 1)
            let result = try await encoder.result()
            #expect(result.status == 0, "\(url): \(result.errors)")
        }
        try await eventually("the events") { try await account.events("cam").count == 4 }
        let events = try await account.events("cam")
        #expect(events.map { $0["event"] } == ["publish", "unpublish", "publish", "unpublish"])
        for event in events {
            #expect(event["authenticated"] == true)
            #expect(event["user"] == "cam1")
            #expect(event["ip"] == "127.0.0.1")
            #expect(event["inst"] == "live")
        }
        // Secrets are for nobody's eyes, whichever way they came.
        #expect(!origin.log.contains("s3 cret") && !origin.log.contains("s3%20cret"))
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var name: String
        var app = "demo-origin"
        var stream: String
        var query = ""
        var code: String
        var message: String

        var testDescription: String { name }
    }

    static let refusals = [
        Refusal(
            name: "wrong password", stream: "cam", query: "?user=cam1&pass=guess", code: "NetStream.Publish.Denied",
            message: "user or pass is wrong for this stream"),
        Refusal(
            name: "unknown user", stream: "cam", query: "?user=cam2&pass=secret", code: "NetStream.Publish.Denied",
            message: "user or pass is wrong for this stream"),
        Refusal(
            name: "no password", stream: "cam", query: "?user=cam1", code: "NetStream.Publish.Denied",
            message: "user or pass is wrong for this stream"),
        // ffmpeg is refused for want of a login, so who comes next from its address is asked for one.
        Refusal(
            name: "no credentials", stream: "cam", code: "NetConnection.Connect.Rejected",
            message: "user and pass are required to publish this stream"),
        Refusal(
            name: "unknown stream", stream: "other", query: "?user=cam1&pass=secret", code: "NetStream.Publish.BadName",
            message: "no stream user may publish this stream: demo-origin/live/other"),
        Refusal(
            name: "a name with a space", stream: "my%20cam", query: "?user=cam1&pass=secret",
            code: "NetStream.Publish.BadName",
            message:
                "the stream's name holds a space; app, instance and stream names are 1-128 letters, digits and -_.~"),
        Refusal(
            name: "unknown app", app: "nobody", stream: "cam", query: "?user=cam1&pass=secret",
            code: "NetStream.Publish.BadName", message: "no such application"),
        Refusal(
            name: "another account's app", app: "rival-origin", stream: "cam", query: "?user=cam1&pass=secret",
            code: "NetStream.Publish.BadName",
            message: "no stream user may publish this stream: rival-origin/live/cam"),
    ]

    @Test("An encoder that may not publish is told why, and it is in the log")
    func whoMayNotPublishIsToldSoAndWrittenDown() async throws {
        let source = try await SourceMedia.videoOnly()
        let origin = try await OriginProcess()
        let account = try await origin.account()
        let rival = try await origin.account("rival", accountID: 200)
        try await account.succeed(
            "sevu.addstreamuser", ["app": "demo-origin", "stream": "cam", "user": "cam1", "pass": "secret"])
        for refusal in RTMPPublishTests.refusals {
            let url = origin.rtmp(refusal.stream, app: refusal.app, query: refusal.query)
            let result = try await Encoder.ffmpeg(source, to: url).result()
            #expect(result.status != 0, "\(refusal.name)")
            #expect(result.errors.contains("Server error: \(refusal.message)"), "\(refusal.name): \(result.errors)")
            // ffmpeg shows the sentence; here is the code.
            let peer = try await RTMPPeer.connect(
                .publish, port: origin.rtmpPort, app: refusal.app + "/live", stream: refusal.stream + refusal.query)
            #expect(peer.ending?.code == refusal.code, "\(refusal.name)")
            #expect(peer.ending?.level == .error)
            try await eventually("the origin hangs up") { peer.isClosed }
        }
        // Refusals alike are one row that names the first user and says how many they were: ffmpeg and the peer with three wrong
        // logins, ffmpeg with none.
        func rows(_ stream: String, _ account: TestAccount, app: String = "demo-origin") async throws -> [String] {
            try await account.events(stream, app: app).map { row in
                let metadata = row["metadata"]?.objectValue
                #expect(row["event"] == "publish")
                #expect(row["authenticated"] == false)
                #expect(row["ip"] == "127.0.0.1")
                let (repeats, error) = (metadata?["repeats"]?.stringValue ?? "1", metadata?["error"]?.stringValue ?? "")
                return "\(repeats) of '\(row["user"]?.stringValue ?? "")': \(error)"
            }.sorted()
        }
        let expected = [
            "1 of '': user and pass are required to publish this stream",
            "6 of 'cam1': user or pass is wrong for this stream",
        ]
        try await eventually("the rows of refused logins") { try await rows("cam", account) == expected }
        try await eventually("the row of the unknown stream") {
            try await rows("other", account) == ["2 of 'cam1': no stream user may publish this stream"]
        }
        // Each account sees what was tried on its own apps only.
        try await eventually("the row of the other account") {
            try await rows("cam", rival, app: "rival-origin") == ["2 of 'cam1': no stream user may publish this stream"]
        }
        #expect(try await account.call("log.origin", ["app": "rival-origin"])["status"] == "failure")
        #expect(origin.logLines("publisher accepted") == 0)
    }

    @Test("An encoder that sends half of a stream's name is told which name was heard")
    func halfAName() async throws {
        let source = try await SourceMedia.videoOnly()
        let origin = try await OriginProcess()
        let account = try await origin.account()
        try await account.succeed(
            "sevu.addstreamuser", ["app": "demo-origin", "stream": "cam", "user": "cam1", "pass": "secret"])
        // ffmpeg cuts its address at the space, login included.
        let url = origin.rtmp("my cam", query: "?user=cam1&pass=secret")
        let result = try await Encoder.ffmpeg(source, to: url).result()
        #expect(result.status != 0)
        let told = "no stream user may publish this stream: demo-origin/live/my\n"
        #expect(result.errors.contains(told), "\(result.errors)")
    }

    @Test("Open streams take any encoder")
    func openStreamsTakeAnyEncoder() async throws {
        let origin = try await OriginProcess()
        let account = try await origin.account()
        try await account.openStream("open")
        for query in ["", "?user=who&pass=ever"] {
            let peer = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "open" + query)
            #expect(peer.isRunning)
            try await peer.stop()
            try await eventually("the end") { origin.logLines("publisher ended") == (query.isEmpty ? 1 : 2) }
        }
        let row = try #require(try await account.events("open").first)
        #expect(row["authenticated"] == true && row["user"] == "")
    }

    @Test("Encoders answer Adobe's challenge")
    func encodersAnswerAdobesChallenge() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["rtmp.challenge_apps: [demo-origin]"])
        let account = try await origin.account()
        try await account.succeed(
            "sevu.addstreamuser", ["app": "demo-origin", "stream": "cam", "user": "cam1", "pass": "secret"])
        let url = { (login: String) in "rtmp://\(login)127.0.0.1:\(origin.rtmpPort)/demo-origin/live/cam" }

        let right = try await Encoder.ffmpeg(source, to: url("cam1:secret@"), seconds: 1).result()
        #expect(right.status == 0, "\(right.errors)")
        let gstreamer = try await Encoder.gstreamer(
            source,
            sink: [
                "rtmp2sink", "location=\(url(""))", "username=cam1", "password=secret", "authmod=adobe", "sync=false",
            ]
        ).result()
        #expect(gstreamer.status == 0, "\(gstreamer.errors)")
        // Debian's librtmp knows the challenge too, but overruns its own memory while it answers, whatever it was asked.
        #expect(origin.publishers("cam") == 2)
        try await eventually("the events") { try await account.events("cam").count == 4 }
        #expect(try await account.events("cam").allSatisfy { $0["authenticated"] == true && $0["user"] == "cam1" })

        let wrong = try await Encoder.ffmpeg(source, to: url("cam1:guess@")).result()
        #expect(wrong.status != 0)
        #expect(wrong.errors.contains("Incorrect username/password"), "\(wrong.errors)")
        let without = try await Encoder.ffmpeg(source, to: url("")).result()
        #expect(without.status != 0)
        #expect(without.errors.contains("No credentials set"), "\(without.errors)")
        #expect(origin.publishers("cam") == 2)
        #expect(origin.logLines("publisher refused", "user=cam1", "address=127.0.0.1") == 1)
        // The stream is not named before the login, so the row has none.
        var rows: [JSONObject] = []
        try await eventually("the refusal's row") {
            rows = try await account.events("*").filter { $0["authenticated"] == false }
            return !rows.isEmpty
        }
        #expect(rows.count == 1)
        #expect(rows.first?["user"] == "cam1")
        #expect(rows.first?["stream"] == "")
    }

    @Test("An encoder that has its login for the challenge only is let in at its second try, without configuration")
    func challengeWithoutConfiguration() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        let account = try await origin.account()
        try await account.succeed(
            "sevu.addstreamuser", ["app": "demo-origin", "stream": "cam", "user": "cam1", "pass": "secret"])
        let url = { (login: String) in "rtmp://\(login)127.0.0.1:\(origin.rtmpPort)/demo-origin/live/cam" }

        let first = try await Encoder.ffmpeg(source, to: url("cam1:secret@"), seconds: 1).result()
        #expect(first.status != 0)
        #expect(first.errors.contains("user and pass are required to publish this stream"), "\(first.errors)")
        let second = try await Encoder.ffmpeg(source, to: url("cam1:secret@"), seconds: 1).result()
        #expect(second.status == 0, "\(second.errors)")
        #expect(origin.publishers("cam") == 1)
        // It has shown that it answers, so it is asked at once from now on.
        let third = try await Encoder.ffmpeg(source, to: url("cam1:secret@"), seconds: 1).result()
        #expect(third.status == 0, "\(third.errors)")
        #expect(origin.publishers("cam") == 2)
        let other = try await Encoder.ffmpeg(source, to: url(""), seconds: 1).result()
        #expect(other.status != 0)
        // Refused for want of a login once, an encoder that shows it on the stream's name is asked once and then let in.
        let without = try await Encoder.ffmpeg(source, to: url(""), seconds: 1).result()
        #expect(without.errors.contains("user and pass are required to publish this stream"), "\(without.errors)")
        let named = url("") + "?user=cam1&pass=secret"
        let asked = try await Encoder.ffmpeg(source, to: named, seconds: 1).result()
        #expect(asked.status != 0)
        let right = try await Encoder.ffmpeg(source, to: named, seconds: 1).result()
        #expect(right.status == 0, "\(right.errors)")
        #expect(origin.publishers("cam") == 3)
    }
}

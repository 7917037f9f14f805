import Basics
import ControlAPI
import Foundation
import TestSupport
import Testing

/// Ends of the origin itself, asked for and not.
@Suite(.serialized) struct DrainTests {
    @Test("An origin that is asked to end tells encoders, viewers and pushes, and exits with 0")
    func askedToEndItSaysGoodbyeAndExitsWithZero() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["server.drain_timeout: 10s", "hls.segment_duration: 500ms"])
        try await origin.account().openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let players = try [Player.Kind.rtmpdump, .ffmpeg].map { try Player($0, origin.rtmp("show"), into: folder) }
        try await origin.untilViewed("show", 2)
        let web = try ForeignProgram([
            "ffmpeg", "-v", "error", "-i", origin.playlist("show"), "-c", "copy", "-f", "mpegts", folder.file("web.ts"),
        ])
        try await eventually("an HLS viewer") {
            FileManager.default.contents(atPath: folder.file("web.ts"))?.isEmpty == false
        }
        let file = folder.file("curl.flv")
        let download = try ForeignProgram(["curl", "-sS", "-N", "-o", file, origin.flv("show")])
        try await eventually("an HTTP-FLV viewer") { FileManager.default.contents(atPath: file)?.isEmpty == false }
        // A client that understands it is asked to come again, and does so by hanging up.
        let enhanced = try await RTMPPeer.connect(.play, port: origin.rtmpPort, stream: "show", isEnhanced: true)

        origin.signal(SIGTERM)
        try await eventually("the request to reconnect") { enhanced.events.contains(.reconnectRequested(tcURL: nil)) }
        await enhanced.close()
        let result = try await origin.stop()
        #expect(result.status == 0, "\(result.errors)")
        #expect(origin.logLines("stopped") == 1)
        for player in players {
            // Ends that a player takes for ends, not broken connections.
            let received = try await player.packets()
            expectSuffix(received, of: try await StreamPackets(file: source.path), untilEnd: false)
        }
        let downloaded = try await download.result()
        #expect(downloaded.status == 0, "\(downloaded.errors)")
        expectSuffix(
            try await StreamPackets(file: file), of: try await StreamPackets(file: source.path), untilEnd: false)
        // No tag is cut off.
        #expect(throws: Never.self) { try FLVFile(path: file) }
        try await eventually("the encoder's end") { !encoder.isRunning }
        web.kill()
    }

    @Test("A key file that is lost is warned of, if anything was sealed with it")
    func aLostKeyFile() async throws {
        let first = try await OriginProcess()
        let warning = "the key file is new"
        let file = first.folder.file("data/secret.key")
        try await first.stop()
        try FileManager.default.removeItem(atPath: file)
        let second = try await OriginProcess(folder: first.folder, ports: (first.httpPort, first.rtmpPort))
        #expect(second.logLines(warning) == 0)
        let account = try await second.account()
        try await second.stop()
        try FileManager.default.removeItem(atPath: file)
        let third = try await OriginProcess(folder: first.folder)
        #expect(third.logLines("warning", warning, "file=\(file)") == 1)
        // Its key cannot be opened; the log says what would help.
        let reply = try await TestAccount(
            name: account.name, keys: account.keys, url: "http://127.0.0.1:\(third.httpPort)/stable/"
        ).call("app.list")
        #expect(reply["code"] == 4)
        #expect(third.logLines("the private key of API key", "cannot be opened with \(file)") == 1)
        try await third.stop()
        let fourth = try await OriginProcess(folder: first.folder)
        #expect(fourth.logLines(warning) == 0)
        try await fourth.stop()
    }

    @Test("Connections that do not go in time are cut off at shutdown")
    func whoDoesNotGoIsCutOff() async throws {
        let origin = try await OriginProcess(["server.drain_timeout: 1s"])
        try await origin.account().openStream("show")
        // It is asked to reconnect and stays.
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show", isEnhanced: true)
        let silent = try await RawPeer.connect(port: origin.rtmpPort)
        let idle = try await RawPeer.connect(port: origin.httpPort)
        let result = try await origin.stop()
        #expect(result.status == 0, "\(result.errors)")
        try await eventually("everybody gone") { publisher.isClosed && silent.isClosed && idle.isClosed }
    }

    @Test("After a kill everything acknowledged is there")
    func afterAKillEverythingAcknowledgedIsThere() async throws {
        let source = try await SourceMedia.h264AAC()
        let first = try await OriginProcess(["hls.segment_duration: 500ms"])
        let account = try await first.account()
        try await account.succeed(
            "sevu.addstreamuser",
            ["app": "demo-origin", "stream": "paid", "user": "cam1", "pass": "secret", "protection": "sevu"])
        let reply = try await account.succeed(
            "sevu.request", ["app": "demo-origin", "video": "paid", "pass": "viewer", "ip": "auto", "uses": 5])
        let key = try #require(reply["key"]?.stringValue ?? reply["ticket"]?.objectValue?["key"]?.stringValue)
        let ticket = "?key=\(key)&pass=viewer"
        let login = "?user=cam1&pass=secret"
        let encoder = try Encoder.endless(source, to: first.rtmp("paid", query: login))
        try await first.untilPublished("paid")
        let player = try Player(.rtmpdump, first.rtmp("paid", query: ticket), into: first.folder)
        try await player.moves()
        #expect(try await HTTPGet(first.chunklist("paid") + "?key=wrong").status == 403)
        let filter: JSONObject = ["app": "demo-origin", "video": "paid"]
        let before = try await account.succeed("sevu.errorcount", filter)

        first.signal(SIGKILL)
        try await eventually("its death") { !first.isRunning }
        try await eventually("the encoder's end") { !encoder.isRunning }

        // The same machine comes up again: same folder, same ports.
        let second = try await OriginProcess(
            ["hls.segment_duration: 500ms"], folder: first.folder, ports: (first.httpPort, first.rtmpPort))
        let users = try await account.succeed("sevu.liststreamusers", ["app": "demo-origin"])
        #expect(String(decoding: JSONWriter.write(users), as: UTF8.self).contains("cam1"))
        let after = try await account.succeed("sevu.errorcount", filter)
        #expect(after["error_count"] == before["error_count"])
        #expect(after["error_count"] != 0)
        #expect(try await account.events("paid").first?["event"] == "publish")

        let back = try Encoder.endless(source, to: second.rtmp("paid", query: login))
        try await second.untilPublished("paid")
        let again = try Player(.rtmpdump, second.rtmp("paid", query: ticket), into: first.folder, name: "again")
        try await again.moves()
        let refused = try await ForeignProgram.run([
            "rtmpdump", "-v", "-r", second.rtmp("paid"), "-o", "/dev/null",
        ])
        #expect(refused.errors.contains("NetStream.Play.Failed"), "\(refused.errors)")
        #expect(back.isRunning)
    }
}

import ControlAPI
import Foundation
import TestSupport
import Testing

/// What viewers were sent is what the account is told.
@Suite(.serialized) struct UsageTests {
    /// What the account was told: the bytes of a stream by `usage.all` and `usage.vse`, and of its app by `video.cdn`.
    fileprivate struct Told: Equatable {
        var all: Int64
        var hls: Int64
        var app: Int64
    }

    @Test("HLS counts to the byte, with a ticket and without; refusals, HEAD and what was not modified count nothing")
    func hlsCountsToTheByte() async throws {
        let origin = try await OriginProcess(OriginProcess.quick)
        let account = try await origin.account()
        let encoder = try await origin.publish("open", as: account)
        #expect(try await Told("open", account).app == 0)
        var sent: Int64 = 0
        func get(_ url: String, _ headers: [String] = []) async throws -> Web {
            let got = try await Web.get(url, headers)
            if got.status == 200 || got.status == 206 { sent += Int64(got.body.count) }
            return got
        }
        #expect(try await get(origin.playlist("open")).status == 200)
        let chunklist = origin.chunklist("open")
        let playlist = MediaPlaylistText(String(decoding: try await get(chunklist).body, as: UTF8.self))
        let segment = chunklist.replacing("chunklist.m3u8", with: try #require(playlist.segments.first).name)
        let whole = try await get(segment)
        #expect(whole.body.count > 1_000)
        #expect(try await get(segment, ["Range: bytes=100-299"]).body.count == 200)
        #expect(try await get(chunklist, ["Accept-Encoding: gzip"]).headers["content-encoding"] == "gzip")
        let tag = try #require(whole.headers["etag"])
        #expect(try await get(segment, ["If-None-Match: \(tag)"]).status == 304)
        #expect(try await get(segment.replacing("media_", with: "media_9999")).status == 404)
        #expect(try await ForeignProgram.run(["curl", "-sSI", segment]).status == 0)
        #expect(try await Told("open", account) == Told(all: sent, hls: sent, app: sent))

        // The same stream with tickets: sessions count, who is refused does not.
        try await account.succeed(
            "sevu.addstreamuser",
            ["app": "demo-origin", "stream": "open", "user": "ann", "pass": "p", "protection": "sevu"])
        try await eventually("the protection") { try await get(segment).status == 403 }
        let ticket = try await account.succeed(
            "sevu.request",
            ["app": "demo-origin", "video": "open", "pass": "secret", "ip": "0.0.0.0/0", "uses": 1])
        let key = try #require(ticket["ticket"]?.objectValue?.string("key"))
        let viewer = HLSViewer(url: origin.playlist("open", query: "?key=\(key)&pass=secret"))
        let master = try await viewer.master()
        let media = try viewer.media(in: master)
        let reply = try await Curl.get(media)
        let last = try HLSViewer.lastSegment(of: reply, at: media)
        #expect(master.status == 200 && reply.status == 200)
        sent += Int64(master.body.utf8.count + reply.body.utf8.count)
        #expect(try await get(last).status == 200)
        let told = try await Told("open", account)
        #expect(told == Told(all: sent, hls: sent, app: sent))

        // A restart loses nothing and counts nothing twice.
        try await encoder.stop()
        #expect(try await origin.stop().status == 0)
        let again = try await OriginProcess(
            OriginProcess.quick, folder: origin.folder, ports: (origin.httpPort, origin.rtmpPort))
        #expect(try await Told("open", account) == told)
        #expect(
            try await account.succeed("video.servers", ["app": "demo-origin"])["data"]?.arrayValue?.compactMap {
                $0.objectValue?.string("server")
            } == ["127.0.0.1"])
        withExtendedLifetime(again) {}
    }

    /// All viewers of `open`, and those over HTTP and RTMP.
    private func viewers(_ account: TestAccount) async throws -> [Int64?] {
        let reply = try await account.succeed("vsn.viewercount", ["app": "demo-origin", "url": "open"])
        let row = reply["data"]?.arrayValue?.first?.objectValue
        return ["viewer_count_sum", "hls", "rtmp"].map { row?.integer($0) }
    }

    @Test("HTTP-FLV counts to the byte as what goes over HTTP, and so do its viewers")
    func flvCountsAsHTTP() async throws {
        let origin = try await OriginProcess(OriginProcess.quick)
        let account = try await origin.account()
        let encoder = try await origin.publish("open", as: account)
        let folder = try Folder()
        let player = try ForeignProgram(["curl", "-sS", "-N", "-o", folder.file("flv"), origin.flv("open")])
        try await eventually("a viewer") { try await viewers(account) == [1, 1, 0] }
        let detailed = try await account.succeed("viewer.livedetailed", ["app": "demo-origin", "url": "open"])
        #expect(detailed["data"]?.arrayValue?.map { $0.objectValue?.string("vhost") } == ["hls"])
        try await encoder.stop()
        #expect(try await player.result().status == 0)
        let bytes = Int64(FileManager.default.contents(atPath: folder.file("flv"))?.count ?? 0)
        #expect(bytes > 5_000)
        try await eventually("no viewer") { try await viewers(account) == [0, 0, 0] }
        #expect(try await Told("open", account) == Told(all: bytes, hls: bytes, app: bytes))
    }

    @Test("RTMP counts what goes out, and who watches is counted now and minute by minute")
    func rtmpAndViewers() async throws {
        let origin = try await OriginProcess(OriginProcess.quick)
        let account = try await origin.account()
        let encoder = try await origin.publish("open", as: account)
        #expect(try await viewers(account) == [0, 0, 0])
        let player = try await RTMPPlayer(port: origin.rtmpPort, app: "demo-origin/live", stream: "open")
        let other = try await RTMPPlayer(port: origin.rtmpPort, app: "demo-origin/live", stream: "open")
        let playlist = try await Web.get(origin.chunklist("open"))
        #expect(playlist.status == 200)
        try await eventually("media") { player.mediaBytes > 20_000 && other.mediaBytes > 0 }
        #expect(try await viewers(account) == [3, 1, 2])
        let fields: JSONObject = ["app": "demo-origin", "url": "open"]
        try await eventually("a sample of three viewers") {
            let rows = try await account.succeed("vsn.viewerhistorybyname", fields)["data"]?.arrayValue ?? []
            return rows.contains { $0.objectValue?.integer("viewer_count_max") == 3 }
        }
        await other.close()
        try await eventually("one viewer less") { try await viewers(account) == [2, 1, 1] }
        // The rest that goes out at the stream's end is counted as well.
        try await encoder.stop()
        try await eventually("the end") { try await viewers(account).last == 0 }
        try await eventually("the last media") {
            let told = try await Told("open", account)
            #expect(told.hls == Int64(playlist.body.count))
            return told.all - told.hls >= Int64(player.mediaBytes + other.mediaBytes)
        }
        // Above the media there are headers of messages and chunks, and what the one that left did not read any more.
        let told = try await Told("open", account)
        let media = Int64(player.mediaBytes + other.mediaBytes)
        #expect(told.all - told.hls < media + media / 4 + 8_192, "\(told) \(media)")
        await player.close()
    }
}

extension UsageTests.Told {
    init(_ stream: String, _ account: TestAccount) async throws {
        let today = Calendar(identifier: .iso8601).dateComponents(in: .gmt, from: Date())
        let fields: JSONObject = [
            "app": "demo-origin", "url": .string(stream), "year": .int(today.year ?? 0),
            "month": .int(today.month ?? 0),
        ]
        func bytes(_ command: String) async throws -> Int64 {
            let rows = try await account.succeed(command, fields)["data"]?.arrayValue ?? []
            return rows.reduce(0) { $0 + ($1.objectValue?.integer("bytes") ?? -1) }
        }
        all = try await bytes("usage.all")
        hls = try await bytes("usage.vse")
        let days = try await account.succeed("video.cdn", ["app": "demo-origin"])["data"]?.arrayValue ?? []
        app = days.reduce(0) { $0 + ($1.objectValue?.integer("bytes") ?? -1) }
    }
}

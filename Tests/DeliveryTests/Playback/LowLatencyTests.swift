import Basics
import HLS
import HTTPTypes
import Live
import NIOCore
import TestSupport
import Testing
import Usher

@testable import Delivery

/// Requests that wait for what comes next (RFC 8216bis §6.2.5.2).
@Suite("Low latency") struct LowLatencyTests {
    private let folder = TestPlayer.folder

    /// The names that a playlist gives to the parts of its end, and to the one that comes next.
    private func parts(_ playlist: String) -> (listed: [String], hint: String) {
        let listed = playlist.matches(of: /#EXT-X-PART:DURATION=[0-9.]+,URI="([^"]+)"/).map { String($0.1) }
        return (
            listed, playlist.firstMatch(of: /#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/).map { String($0.1) } ?? ""
        )
    }

    @Test("A playlist with the next part is given as soon as that is there, and so is the part that was hinted at")
    func blockingReload() async throws {
        let player = await TestPlayer(isProtected: false)
        let publication = try await player.publish(until: 1_100)
        let output = try #require(player.test.outputs.output(at: TestStage.address))
        let playlist = try await player.get("\(folder)/chunklist.m3u8")
        let (listed, hint) = parts(playlist.text)
        // The first segment is 1; of the second there is nothing yet.
        #expect(segments(in: playlist.text) == ["media_1.m4s"])
        #expect(!listed.contains(hint))

        async let reloaded = player.get("\(folder)/chunklist.m3u8?_HLS_msn=2&_HLS_part=0")
        async let part = player.get("\(folder)/\(hint)")
        async let whole = player.get("\(folder)/chunklist.m3u8?_HLS_msn=2")
        try await eventually { output.held.count == 3 }
        try await player.test.send(FLVFile.sample(), to: publication, from: 1_100, until: 1_250)
        let reply = try await reloaded
        #expect(reply.status == .ok)
        #expect(reply.headers[.cacheControl] == "public, max-age=6")
        #expect(segments(in: reply.text) == ["media_1.m4s"])
        #expect(parts(reply.text).listed.last == hint)
        let bytes = try await part
        #expect(bytes.status == .ok)
        #expect(bytes.headers[.contentType] == "video/mp4")
        #expect(bytes.headers[.cacheControl] == "public, max-age=31536000, immutable")
        #expect(bytes.body == output.current?.snapshot.open?.parts.first?.bytes)
        #expect(output.held.count == 1)
        // The segment is waited for longer.
        try await player.test.send(FLVFile.sample(), to: publication, from: 1_250, until: 2_100)
        let complete = try await whole
        #expect(segments(in: complete.text) == ["media_1.m4s", "media_2.m4s"])
        #expect(output.held.count == 0)
        try await player.test.end(publication)
    }

    @Test(
        "What is asked for too far ahead, or in a wrong way, is answered at once with what is wrong",
        arguments: [
            ("_HLS_msn=4", "Bad request: what _HLS_msn and _HLS_part name is too far ahead.\n"),
            ("_HLS_msn=2&_HLS_part=40", "Bad request: what _HLS_msn and _HLS_part name is too far ahead.\n"),
            ("_HLS_part=0", "Bad request: _HLS_part needs _HLS_msn.\n"),
            ("_HLS_msn=x", "Bad request: _HLS_msn is a number.\n"),
            ("_HLS_msn=2&_HLS_part=-1", "Bad request: _HLS_part is a number.\n"),
            ("_HLS_skip=1", "Bad request: _HLS_skip is YES or v2.\n"),
            ("format=flv", "Bad request: format is ts or fmp4.\n"),
        ])
    func badRequests(query: String, text: String) async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish(until: 1_100)
        let reply = try await player.get("\(folder)/chunklist.m3u8?\(query)")
        #expect(reply.status == .badRequest)
        #expect(reply.text == text)
        #expect(reply.headers[.cacheControl] == "private, no-store")
    }

    @Test("A request whose part does not come is answered with 503 after three target durations")
    func timeOut() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish(until: 1_100)
        let output = try #require(player.test.outputs.output(at: TestStage.address))
        async let reloaded = player.get("\(folder)/chunklist.m3u8?_HLS_msn=2")
        try await eventually { output.held.count == 1 }
        try await player.test.settle()
        await player.test.loop.advanceTime(by: .milliseconds(2_999))
        #expect(output.held.count == 1)
        await player.test.loop.advanceTime(by: .milliseconds(1))
        let reply = try await reloaded
        #expect(reply.status == .serviceUnavailable)
        #expect(reply.headers[.retryAfter] == "1")
    }

    @Test("When the stream ends, whoever waits gets the end, or hears that the part does not exist")
    func end() async throws {
        let player = await TestPlayer(isProtected: false)
        let publication = try await player.publish(until: 1_100)
        let output = try #require(player.test.outputs.output(at: TestStage.address))
        let hint = parts(try await player.get("\(folder)/chunklist.m3u8").text).hint
        async let reloaded = player.get("\(folder)/chunklist.m3u8?_HLS_msn=3&_HLS_part=0")
        try await eventually { output.held.count == 1 }
        try await player.test.end(publication)
        #expect(try await reloaded.text.hasSuffix("#EXT-X-ENDLIST\n"))
        let next = hint.replacing(/_(\d+)\.m4s/) { "_\((Int($0.1) ?? 0) + 1).m4s" }
        #expect(try await player.get("\(folder)/\(next)").status == .notFound)
    }

    @Test("A session that ends while it waits is refused, and gets neither playlist nor part")
    func revoked() async throws {
        let player = await TestPlayer(isProtected: true)
        let publication = try await player.publish(until: 1_100)
        let output = try #require(player.test.outputs.output(at: TestStage.address))
        let master = try await player.get("\(folder)/playlist.m3u8?key=k&pass=p")
        let media = try #require(segments(in: master.text).first)
        let playlist = try await player.get("\(folder)/\(media)")
        try #require(playlist.status == .ok)
        let session = try #require(media.split(separator: "/").first)
        async let reloaded = player.get("\(folder)/\(session)/chunklist.m3u8?_HLS_msn=2&_HLS_part=0")
        async let part = player.get("\(folder)/\(session)/\(parts(playlist.text).hint)")
        try await eventually { output.held.count == 2 }
        player.admission.set { $0.isRevoked = true }
        try await player.test.send(FLVFile.sample(), to: publication, from: 1_100, until: 1_250)
        #expect(try await reloaded.status == .forbidden)
        #expect(try await part.status == .forbidden)
    }

    @Test("An edge that asks for a viewer is answered at once")
    func edge() async throws {
        let proxy = try #require(IPNetwork("198.51.100.7/32"))
        let player = await TestPlayer(
            isProtected: false,
            configuration: DeliveryConfiguration(segmenter: TestStage.segmenter, trustedProxies: [proxy]))
        _ = try await player.publish(until: 1_100)
        var headers = HTTPFields()
        headers[try #require(HTTPField.Name("X-Original-URI"))] = "\(folder)/chunklist.m3u8?_HLS_msn=2&_HLS_part=0"
        headers[try #require(HTTPField.Name("X-Forwarded-For"))] = "192.0.2.9"
        #expect(try await player.get("/usher/check", headers: headers).status == .noContent)
    }

    @Test("MPEG-TS is made for whoever asks for it, and has no parts", arguments: [false, true])
    func transportStream(isDefault: Bool) async throws {
        let pattern = WildcardPattern("demo-origin/my*")
        let player = await TestPlayer(
            isProtected: false,
            configuration: DeliveryConfiguration(
                segmenter: TestStage.segmenter, transportStreams: isDefault ? [pattern] : []))
        let publication = try await player.publish(until: 3_100)
        let plain = try await player.get("\(folder)/playlist.m3u8")
        #expect(plain.text.hasSuffix(isDefault ? "\nchunklist_ts.m3u8\n" : "\nchunklist.m3u8\n"))
        let other = try await player.get("\(folder)/playlist.m3u8?format=\(isDefault ? "fmp4" : "ts")")
        #expect(other.text.hasSuffix(isDefault ? "\nchunklist.m3u8\n" : "\nchunklist_ts.m3u8\n"))

        // Nobody has asked for the playlist, so there is no file.
        #expect(try await player.get("\(folder)/media_1.ts").status == .notFound)
        let media = try await player.get("\(folder)/chunklist_ts.m3u8")
        #expect(segments(in: media.text) == (1...3).map { "media_\($0).ts" })
        #expect(!media.text.contains("PART") && !media.text.contains("SERVER-CONTROL") && !media.text.contains("MAP"))
        let first = try await player.get("\(folder)/media_1.ts")
        #expect(first.headers[.contentType] == "video/mp2t")
        #expect(first.body.readableBytes > 1_000 && first.body.readableBytes % 188 == 0)
        let segment = try await player.get("\(folder)/media_1.m4s")
        #expect(first.headers[.eTag] != segment.headers[.eTag])
        // The next one is made when it is listed, and the playlist asked for again.
        try await player.test.send(FLVFile.sample(), to: publication, from: 3_100, until: 4_100)
        #expect(try await player.get("\(folder)/media_4.ts").status == .notFound)
        #expect(segments(in: try await player.get("\(folder)/chunklist_ts.m3u8").text).last == "media_4.ts")
        #expect(try await player.get("\(folder)/media_4.ts").status == .ok)
    }
}

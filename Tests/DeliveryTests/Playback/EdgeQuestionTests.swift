import Basics
import HTTPTypes
import NIOHTTP1
import Testing
import Usher

@testable import Delivery

@Suite struct EdgeQuestionTests {
    private static let session = String(repeating: "s", count: SessionID.length)
    private static let proxy = DeliveryConfiguration(
        segmenter: TestStage.segmenter, trustedProxies: [IPNetwork(IPAddress("198.51.100.7") ?? IPAddress(v4: 0))])

    private func ask(
        _ player: TestPlayer, _ uri: String?, method: String? = nil, forwardedFor: String? = "192.0.2.9",
        realAddress: String? = nil
    ) async throws -> PlayerReply {
        var headers = HTTPFields()
        for (name, value) in [
            ("X-Original-URI", uri), ("X-Original-Method", method), ("X-Forwarded-For", forwardedFor),
            ("X-Real-IP", realAddress),
        ] {
            if let value { headers[try #require(HTTPField.Name(name))] = value }
        }
        return try await player.get("/usher/check", headers: headers)
    }

    /// Status and how long the answer may be kept.
    private func verdict(_ reply: PlayerReply) throws -> String {
        let name = try #require(HTTPField.Name("X-Accel-Expires"))
        let kept = try #require(reply.headers[name])
        #expect(reply.headers[.cacheControl] == (kept == "1" ? "max-age=1" : "private, no-store"))
        return "\(reply.status.code) \(kept)"
    }

    @Test("An edge is told what the viewer would be told, and a use is charged once")
    func verdicts() async throws {
        let player = await TestPlayer(isProtected: true, configuration: Self.proxy)
        _ = try await player.publish()
        let folder = TestPlayer.folder
        let path = "\(folder)/sess_\(Self.session)"
        #expect(try verdict(await ask(player, "\(path)/media_2.m4s")) == "403 0")
        #expect(try verdict(await ask(player, "\(path)/chunklist.m3u8")) == "403 1")
        #expect(try verdict(await ask(player, "\(path)/chunklist.m3u8?key=k&pass=wrong")) == "403 1")
        // What is no session is nobody's, and would be kept for all.
        for name in ["sess_", "sess_x"] {
            #expect(try verdict(await ask(player, "\(folder)/\(name)/chunklist.m3u8?key=k&pass=wrong")) == "403 0")
            #expect(try verdict(await ask(player, "\(folder)/\(name)/chunklist.m3u8?key=k&pass=p")) == "403 0")
        }
        #expect(try verdict(await ask(player, "\(path)/chunklist.m3u8?key=k&pass=p", method: "HEAD")) == "204 0")
        #expect(try verdict(await ask(player, "\(path)/chunklist.m3u8?key=k&pass=p", method: "OPTIONS")) == "204 0")
        #expect(try verdict(await ask(player, "\(folder)/playlist.m3u8?key=k&pass=p")) == "204 0")
        #expect(try verdict(await ask(player, "\(folder)/playlist.m3u8")) == "403 0")
        // A copy of a session's MPD is none of this one's.
        #expect(try verdict(await ask(player, "\(folder)/manifest.mpd?key=k&pass=p")) == "403 0")
        #expect(player.admission.now.charged == 0)
        #expect(try verdict(await ask(player, "\(path)/chunklist.m3u8?key=k&pass=p")) == "204 1")
        #expect(try verdict(await ask(player, "\(path)/chunklist.m3u8?key=k&pass=p", method: "GET")) == "204 1")
        #expect(player.admission.now.charged == 1)
        #expect(player.admission.now.sessions == [Self.session: "192.0.2.9"])
        #expect(try verdict(await ask(player, "\(path)/media_2.m4s")) == "204 1")
        // Gone from here, and perhaps not from there.
        #expect(try verdict(await ask(player, "\(path)/media_99.m4s")) == "204 1")
        #expect(try verdict(await ask(player, "\(path)/media_2.m4s", forwardedFor: "192.0.2.8")) == "403 0")
        #expect(try verdict(await ask(player, "\(folder)/media_2.m4s")) == "403 0")
        #expect(player.admission.now.sent == [:])
        player.admission.set { $0.isRevoked = true }
        #expect(try verdict(await ask(player, "\(path)/media_2.m4s")) == "403 0")
        #expect(try verdict(await ask(player, "\(path)/chunklist.m3u8?key=k&pass=p")) == "403 1")
    }

    @Test("A viewer who goes on in another session is sent there, and nobody else with him")
    func elsewhere() async throws {
        let player = await TestPlayer(isProtected: true, configuration: Self.proxy)
        _ = try await player.publish()
        let running = SessionID.make()
        player.admission.set { $0.sessions = [running: "192.0.2.9"] }
        let folder = TestPlayer.folder
        let name = try #require(HTTPField.Name("X-Usher-Location"))
        let moved = try await ask(player, "\(folder)/sess_\(Self.session)/chunklist.m3u8?key=k&pass=p")
        #expect(try verdict(moved) == "403 0")
        #expect(moved.headers[name] == "../sess_\(running)/chunklist.m3u8?key=k&pass=p")
        let outside = try await ask(player, "\(folder)/chunklist.m3u8?key=k&pass=p")
        #expect(try verdict(outside) == "403 0")
        #expect(outside.headers[name] == "sess_\(running)/chunklist.m3u8?key=k&pass=p")
        #expect(try await ask(player, "\(folder)/chunklist.m3u8").headers[name] == nil)
    }

    @Test("What a stream has left at the edge when it is gone is for those who may see it")
    func offline() async throws {
        let player = await TestPlayer(isProtected: true, configuration: Self.proxy)
        player.admission.set { $0.sessions = [Self.session: "192.0.2.9"] }
        let folder = TestPlayer.folder
        let path = "\(folder)/sess_\(Self.session)"
        #expect(try verdict(await ask(player, "\(path)/media_2.m4s")) == "204 0")
        #expect(try verdict(await ask(player, "\(path)/media_2.m4s", forwardedFor: "192.0.2.8")) == "403 0")
        #expect(try verdict(await ask(player, "\(folder)/media_2.m4s")) == "403 0")
        // The origin itself says that there is none.
        #expect(try verdict(await ask(player, "\(path)/chunklist.m3u8?key=k&pass=p")) == "204 0")
        player.admission.set { $0.isProtected = false }
        #expect(try verdict(await ask(player, "\(folder)/media_2.m4s")) == "204 0")
    }

    @Test("A stream without tickets is open to all for a second, and a store that fails is no answer")
    func openAndFailing() async throws {
        let player = await TestPlayer(isProtected: false, configuration: Self.proxy)
        _ = try await player.publish()
        let folder = TestPlayer.folder
        #expect(try verdict(await ask(player, "\(folder)/media_2.m4s")) == "204 1")
        #expect(try verdict(await ask(player, "\(folder)/chunklist.m3u8")) == "204 1")
        player.admission.set { $0.isFailing = true }
        let failed = try await ask(player, "\(folder)/media_2.m4s")
        #expect(try verdict(failed) == "503 0")
        #expect(failed.headers[.retryAfter] == "2")
    }

    @Test(
        "The question must come from a trusted proxy, and say once what is asked for and by whom",
        arguments: [
            (nil, "192.0.2.9", nil), ("/media_2.m4s", "192.0.2.9", nil), ("/favicon.ico", "192.0.2.9", nil),
            ("", "192.0.2.9", nil), ("/demo-origin/live/../live/mystream/media_2.m4s", "192.0.2.9", nil),
            ("/demo-origin//live/mystream/media_2.m4s", "192.0.2.9", nil),
            ("/demo-origin/live/mystream/media_2.m4s", nil, nil),
            ("/demo-origin/live/mystream/media_2.m4s", "192.0.2.9", "192.0.2.8"),
            ("/demo-origin/live/mystream/media_2.m4s", "192.0.2.8, 192.0.2.9", "192.0.2.8"),
            ("/demo-origin/live/mystream/media_2.m4s", nil, "me"),
        ] as [(String?, String?, String?)])
    func badQuestions(uri: String?, forwardedFor: String?, realAddress: String?) async throws {
        let player = await TestPlayer(isProtected: false, configuration: Self.proxy)
        _ = try await player.publish()
        let reply = try await ask(player, uri, forwardedFor: forwardedFor, realAddress: realAddress)
        #expect(try verdict(reply) == "403 0")
    }

    @Test("Either header names the viewer, and strangers are told nothing")
    func whoAsks() async throws {
        let file = "\(TestPlayer.folder)/sess_\(Self.session)/media_2.m4s"
        for (proxies, status) in [(Self.proxy, 204), (DeliveryConfiguration(segmenter: TestStage.segmenter), 403)] {
            let player = await TestPlayer(isProtected: true, configuration: proxies)
            _ = try await player.publish()
            // A stranger is refused also where he would be let in himself.
            player.admission.set { $0.sessions = [Self.session: status == 204 ? "192.0.2.9" : "198.51.100.7"] }
            let replies = [
                try await ask(player, file, forwardedFor: nil, realAddress: "192.0.2.9"),
                try await ask(player, file, forwardedFor: "203.0.113.5, 192.0.2.9"),
                try await ask(player, file, forwardedFor: "203.0.113.5, 192.0.2.9", realAddress: "192.0.2.9"),
            ]
            #expect(replies.map(\.status.code) == Array(repeating: status, count: 3))
        }
    }
}

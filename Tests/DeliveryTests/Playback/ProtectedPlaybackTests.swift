import Basics
import HTTPTypes
import NIOHTTP1
import NIOCore
import TestSupport
import Testing
import Usher

@testable import Delivery

@Suite struct ProtectedPlaybackTests {
    private let folder = TestPlayer.folder

    /// The media playlist's address, out of a master playlist.
    private func mediaURI(_ player: TestPlayer, query: String = "key=k&pass=p") async throws -> String {
        let master = try await player.get("\(folder)/playlist.m3u8?\(query)")
        try #require(master.status == .ok)
        return "\(folder)/" + (try #require(segments(in: master.text).first))
    }

    @Test("the master playlist leads into a session, with exactly key and pass; only then a use is charged, once")
    func session() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        let master = try await player.get("\(folder)/playlist.m3u8?utm=1&key=k&x=%26&pass=p")
        #expect(master.status == .ok)
        #expect(master.headers[.cacheControl] == "private, no-store")
        let uri = try #require(segments(in: master.text).first)
        #expect(uri.hasSuffix("/chunklist.m3u8?key=k&pass=p"))
        let session = try #require(uri.split(separator: "/").first?.dropFirst(5))
        #expect(SessionID.isWellFormed(String(session)))
        #expect(player.admission.now.charged == 0)

        let head = try await player.get("\(folder)/\(uri)", method: .HEAD)
        #expect(head.status == .ok)
        #expect(player.admission.now.charged == 0)
        for _ in 0..<3 {
            let media = try await player.get("\(folder)/\(uri)")
            #expect(media.status == .ok)
            #expect(media.headers[.cacheControl] == "private, no-cache")
            // The same bytes for everybody.
            #expect(media.text == player.test.mediaPlaylist())
        }
        #expect(player.admission.now.charged == 1)
        let segment = try await player.get("\(folder)/sess_\(session)/media_2.m4s")
        #expect(segment.status == .ok)
        #expect(segment.headers[.cacheControl] == "private, max-age=60")
        #expect(
            player.admission.now.sent == [
                String(session): try 3 * #require(player.test.mediaPlaylist()).utf8.count + segment.body.readableBytes
            ])
        // A reload of the page goes on in the running session.
        #expect(try await mediaURI(player) == "\(folder)/\(uri)")
        #expect(player.admission.now.charged == 1)
    }

    @Test(
        "The MPD outside of sessions leads into one, which all its reloads go on in; an edge is told the way and charged nothing"
    )
    func manifest() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        let address = "\(folder)/manifest.mpd?key=k&pass=p"
        let head = try await player.get(address, method: .HEAD)
        #expect(head.status == .ok && player.admission.now.charged == 0)
        var sessions: Set<String> = []
        for name in ["manifest.mpd", "manifest.mpd", "manifest_mpm4sav_mvtime.mpd"] {
            let reply = try await player.get("\(folder)/\(name)?key=k&pass=p")
            #expect(reply.status == .ok && reply.headers[.contentType] == "application/dash+xml")
            #expect(reply.headers[.cacheControl] == "private, no-store" && reply.headers[.eTag] == nil)
            let mpd = try #require(MPDFile(reply.text))
            let base = try #require(mpd.base)
            #expect(mpd.problems == [] && mpd.location == "\(base)manifest.mpd?key=k&pass=p")
            // It is the session's own but for these two.
            let own = try await player.get("\(folder)/\(mpd.location ?? "")")
            let lines = reply.text.split(separator: "\n").filter {
                !$0.hasPrefix("<BaseURL>") && !$0.hasPrefix("<Location>")
            }
            #expect(own.text.split(separator: "\n") == lines)
            sessions.insert(base)
        }
        #expect(sessions.count == 1 && player.admission.now.charged == 1)
        // In the folder of what is no session it leads out of that.
        let odd = try await player.get("\(folder)/sess_x/manifest.mpd?key=k&pass=p")
        #expect(MPDFile(odd.text)?.base == "../\(sessions.first ?? "")")
        #expect(try await player.get("\(folder)/manifest.mpd?key=k&pass=wrong").status == .forbidden)
    }

    @Test("Who asks in his session for a stream that is off the air waits for it, and keeps the session")
    func waiting() async throws {
        let player = await TestPlayer(isProtected: true)
        let session = String(repeating: "s", count: 43)
        player.admission.set { $0.sessions[session] = "198.51.100.7" }
        let reply = try await player.get("\(folder)/sess_\(session)/chunklist.m3u8", method: .HEAD)
        #expect(reply.status == .notFound)
        #expect(reply.headers[.retryAfter] == "5")
        #expect(player.admission.now.used == [session])
        _ = try await player.get("\(folder)/chunklist.m3u8", method: .HEAD)
        #expect(player.admission.now.used == [session])
    }

    @Test("key and pass are percent-encoded again")
    func encoding() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        player.admission.set { $0.sessions[String(repeating: "s", count: 27)] = "198.51.100.7" }
        let reply = try await player.get(
            "\(folder)/sess_\(String(repeating: "s", count: 27))/playlist.m3u8?key=a%26b&pass=c+d%23%C3%A9")
        #expect(reply.status == .ok)
        #expect(
            segments(in: reply.text)
                == ["../sess_\(String(repeating: "s", count: 27))/chunklist.m3u8?key=a%26b&pass=c%2Bd%23%C3%A9"])
    }

    @Test(
        "without a good ticket everything is refused, with no reason and no 401",
        arguments: [
            "playlist.m3u8", "playlist.m3u8?key=k", "playlist.m3u8?key=k&pass=wrong", "chunklist.m3u8",
            "chunklist.m3u8?key=k&pass=wrong", "media_2.m4s", "media_2.m4s?key=k&pass=p", "media_99.m4s",
            "sess_\(SessionID.make())/chunklist.m3u8", "sess_\(SessionID.make())/media_2.m4s",
            "sess_x/chunklist.m3u8?key=k", "sess_/media_2.m4s", "sess_\(SessionID.make())/playlist.m3u8",
        ])
    func refusals(file: String) async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        for method in [HTTPMethod.GET, .HEAD] {
            let reply = try await player.get("\(folder)/\(file)", method: method)
            #expect(reply.status == .forbidden)
            #expect(method == .HEAD || reply.text == "Forbidden.\n")
            #expect(reply.headers[.cacheControl] == "private, no-store")
        }
        #expect(player.admission.now.charged == 0)
    }

    @Test("a media playlist outside a session is redirected into one")
    func redirect() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        let reply = try await player.get("\(folder)/chunklist.m3u8?pass=p&key=k")
        #expect(reply.status == .found)
        let location = try #require(reply.headers[.location])
        #expect(location.hasPrefix("sess_") && location.hasSuffix("/chunklist.m3u8?key=k&pass=p"))
        #expect(player.admission.now.charged == 0)
        #expect(try await player.get("\(folder)/\(location)").status == .ok)
        #expect(player.admission.now.charged == 1)
    }

    @Test("an unknown session with a good ticket goes on without the player noticing")
    func unknownSession() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        let old = try await mediaURI(player)
        let first = try await player.get(old)
        #expect(first.status == .ok)
        // Another session runs for this viewer by now: the old path leads there.
        let running = SessionID.make()
        player.admission.set { $0.sessions = [running: "198.51.100.7"] }
        let moved = try await player.get(old)
        #expect(moved.status == .found)
        #expect(moved.headers[.location] == "../sess_\(running)/chunklist.m3u8?key=k&pass=p")
        // A path that no server has ever made.
        let nonsense = try await player.get("\(folder)/sess_x/chunklist.m3u8?key=k&pass=p")
        #expect(nonsense.headers[.location] == "../sess_\(running)/chunklist.m3u8?key=k&pass=p")
    }

    @Test("a revoked ticket ends segments too")
    func revoked() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        let media = try await mediaURI(player)
        _ = try await player.get(media)
        let segment = media.replacing("chunklist.m3u8?key=k&pass=p", with: "media_2.m4s")
        #expect(try await player.get(segment).status == .ok)
        player.admission.set { $0.isRevoked = true }
        #expect(try await player.get(segment).status == .forbidden)
        #expect(try await player.get(media).status == .forbidden)
    }

    @Test("neither a stream that is off the air nor one without a segment charges")
    func neverCharged() async throws {
        let player = await TestPlayer(
            isProtected: true, configuration: DeliveryConfiguration(segmenter: TestStage.segmenter, maximumHeld: 0))
        #expect(try await player.get("\(folder)/playlist.m3u8?key=k&pass=p").status == .notFound)
        _ = try await player.publish(until: 500)
        let session = SessionID.make()
        #expect(try await player.get("\(folder)/playlist.m3u8?key=k&pass=p").status == .serviceUnavailable)
        #expect(
            try await player.get("\(folder)/sess_\(session)/chunklist.m3u8?key=k&pass=p").status
                == .serviceUnavailable)
        #expect(try await player.get("\(folder)/sess_\(session)/chunklist.m3u8?key=x").status == .forbidden)
        #expect(player.admission.now.entered == 0)
    }

    @Test("when the store does not answer, neither does the stream, and it says to come back")
    func storeFails() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        player.admission.set { $0.isFailing = true }
        for file in ["playlist.m3u8?key=k&pass=p", "chunklist.m3u8", "media_2.m4s"] {
            let reply = try await player.get("\(folder)/\(file)")
            #expect(reply.status == .serviceUnavailable)
            #expect(reply.headers[.retryAfter] == "2")
        }
    }

    @Test("attempts know the viewer, the page and this server, and the stream by its own name")
    func facts() async throws {
        let player = await TestPlayer(isProtected: true)
        _ = try await player.publish()
        _ = try await player.get(
            "/demo-live/play/mp4%3Amystream.smil/chunklist.m3u8?key=k&pass=p&hdnea=x",
            headers: [.referer: "https://tv.example/watch", .origin: "https://tv.example", .cookie: "hdntl=y"])
        let expected = ViewerFacts(
            key: "k", pass: "p", token: "hdnea=x", path: "/demo-live/play/mp4:mystream.smil/playlist.m3u8",
            address: "198.51.100.7", app: "demo-origin", instance: "play", video: "mystream",
            pageURL: "https://tv.example/watch", serverAddress: "192.0.2.80")
        #expect(player.admission.now.lastFacts == expected)
    }

    @Test("behind a trusted proxy the viewer is the one it names")
    func proxied() async throws {
        let network = try #require(IPNetwork("198.51.100.0/24"))
        let player = await TestPlayer(
            isProtected: true,
            configuration: DeliveryConfiguration(segmenter: TestStage.segmenter, trustedProxies: [network]))
        _ = try await player.publish()
        let name = try #require(HTTPField.Name("X-Forwarded-For"))
        _ = try await player.get("\(folder)/playlist.m3u8?key=k&pass=p", headers: [name: "203.0.113.1, 203.0.113.9"])
        #expect(player.admission.now.lastFacts?.address == "203.0.113.9")
    }
}

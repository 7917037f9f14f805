import Foundation
import HTTPTypes
import NIOCore
import Testing

@testable import Delivery

@Suite struct PlayerPageTests {
    private let page = "\(TestPlayer.folder)/"

    @Test("Nothing is asked about the viewer or the stream for a page")
    func asksNothing() async throws {
        let player = await TestPlayer(isProtected: true)
        let reply = try await player.get("\(page)?key=k&pass=p")
        #expect(reply.status == .ok)
        #expect(player.admission.now.previews == 0)
        #expect(player.admission.now.questions == 0)
        let tag = try #require(reply.headers[.eTag])
        #expect(try await player.get(page, headers: [.ifNoneMatch: tag]).status == .notModified)
        #expect(try await player.get(page, headers: [.acceptEncoding: "gzip"]).body.readableBytes < 8 << 10)
    }

    @Test(
        "Only the sites that may play may have the page in a frame",
        arguments: [
            (["*"], "frame-ancestors *"), (["https://tv.example"], "frame-ancestors 'self' https://tv.example"),
            ([], "frame-ancestors 'self'"),
        ])
    func embedders(origins: [String], policy: String) async throws {
        let player = await TestPlayer(
            isProtected: false, configuration: DeliveryConfiguration(allowedOrigins: origins))
        let name = try #require(HTTPField.Name("Content-Security-Policy"))
        #expect(try await player.get(page).headers[name]?.hasSuffix("; \(policy)") == true)
    }

    @Test("hls.js is named by its version and kept for good under that name only")
    func library() async throws {
        let none = await TestPlayer(isProtected: false)
        #expect(try await none.get("/player/hls.js").status == .notFound)
        #expect(try await none.get(page).text.contains("data-hls-js=\"\""))

        let player = await TestPlayer(isProtected: false, playerLibrary: ByteBuffer(string: "library"))
        let text = try await player.get(page).text
        let version = try #require(text.firstMatch(of: /data-hls-js="..\/..\/..\/player\/hls.js\?([0-9a-f-]+)"/)?.1)
        let named = try await player.get("/player/hls.js?\(version)")
        #expect(named.text == "library")
        #expect(named.headers[.contentType] == "text/javascript; charset=utf-8")
        #expect(named.headers[.cacheControl] == "public, max-age=31536000, immutable")
        #expect(try await player.get("/player/hls.js?other").headers[.cacheControl] == "public, max-age=600")
    }

    @Test(
        "Without the slash the page is elsewhere on the same server, whatever the name",
        arguments: [
            ("mystream?key=a%2Fb", "./mystream/?key=a%2Fb"), ("mp4:mystream", "./mp4:mystream/"),
            ("mystream.smil", "./mystream.smil/"),
        ])
    func slash(name: String, location: String) async throws {
        let player = await TestPlayer(isProtected: false)
        let reply = try await player.get("/demo-origin/play/\(name)")
        #expect(reply.status == .found)
        #expect(reply.headers[.location] == location)
    }
}

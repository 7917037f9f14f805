import ControlAPI
import Foundation
import TestSupport
import Testing

/// The page at a stream's address, in Chromium, which plays HLS itself, and with hls.js.
@Suite(.serialized, .enabled(if: Browser.isInstalled, "chromium is not installed")) struct PlayerPageTests {
    /// How the page plays.
    enum Way: String, CaseIterable, CustomTestStringConvertible {
        case native
        case library
        var testDescription: String { rawValue }

        /// Chromium itself does not play segments of half a second.
        var settings: [String] {
            switch self {
            case .native: ["hls.segment_duration: 1", "hls.window: 12"]
            case .library: ["hls.segment_duration: 0.5", "hls.window: 12", "player.hls_js: \(Places.player)"]
            }
        }

        var usesLibrary: String { self == .library ? "true" : "false" }
    }

    private static let state = "document.getElementById('player').dataset.state"
    private static let headline = "document.getElementById('headline').textContent"
    private static let usesLibrary = "document.getElementById('video').src.startsWith('blob:')"

    private func plays(_ browser: PageBrowser, in frame: String? = nil) async throws {
        try await browser.wait(for: Self.state, toBe: "playing", in: frame)
        let time = "document.getElementById('video').currentTime"
        let first = try await browser.value(time, in: frame).flatMap(Double.init) ?? 0
        try await eventually("the video to go on") {
            try await browser.value(time, in: frame).flatMap(Double.init) ?? 0 > first
        }
    }

    @Test("An open stream plays, under its name and as live", arguments: Way.allCases)
    func open(way: Way) async throws {
        let origin = try await OriginProcess(way.settings)
        let account = try await origin.account()
        let encoder = try await origin.publish("mystream", as: account)
        let browser = try PageBrowser(origin.page("mystream"))
        try await plays(browser)
        #expect(try await browser.value(Self.usesLibrary) == way.usesLibrary)
        #expect(try await browser.value("document.title") == "mystream: live")
        #expect(try await browser.value("document.querySelector('h1').textContent") == "mystream")
        #expect(try await browser.value("document.getElementById('live').textContent") == "Live")
        #expect(try await browser.value("document.getElementById('video').videoWidth") == "128")
        #expect(try await browser.value(Self.headline) == "")
        // What is seen until then is the stream's picture.
        let poster =
            "performance.getEntriesByType('resource').find((entry) => entry.name.endsWith('/thumbnail.jpg')).responseStatus"
        try await browser.wait(for: poster, toBe: "200")
        if way == .library {
            let latency = try await browser.value("document.getElementById('latency').textContent") ?? ""
            #expect(latency.wholeMatch(of: /\d+ s behind/) != nil, "\(latency)")
        }
        if let path = ProcessInfo.processInfo.environment["SCREENSHOT_FOLDER"] {
            try await browser.screenshot().write(to: URL(filePath: "\(path)/open-\(way.rawValue).png"))
        }
        try await encoder.stop()
    }

    @Test("A ticket in the page's address plays for one use, which nobody else learns of", arguments: Way.allCases)
    func ticket(way: Way) async throws {
        let scene = try await TicketScene(quick: [], way.settings)
        let ticket = try await scene.ticket(uses: 1, ["ip": "auto"])
        let browser = try PageBrowser(scene.origin.page("paid", query: ticket.query))
        try await plays(browser)
        #expect(try await browser.value(Self.usesLibrary) == way.usesLibrary)
        #expect(try await scene.remaining(ticket) == "0")
        #expect(try await scene.attempts(ticket) == 1)
        // The page's own address, which holds the pass, does not go on as a referrer.
        let row = try #require(try await scene.log().first)
        #expect(row.string("pageurl") == "http://127.0.0.1:\(scene.origin.httpPort)/")
    }

    @Test("Who has no good ticket is told so, and let in when he has one", arguments: Way.allCases)
    func refused(way: Way) async throws {
        let scene = try await TicketScene(quick: [], way.settings)
        let browser = try PageBrowser(scene.origin.page("paid"))
        try await browser.wait(for: Self.headline, toBe: "You need a ticket")
        let usedUp = try await scene.ticket(uses: 1)
        #expect(try await scene.viewer(usedUp, from: "127.0.0.77").start().reply.status == 200)
        try await browser.open(scene.origin.page("paid", query: usedUp.query))
        try await browser.wait(for: Self.headline, toBe: "This ticket is not accepted")
        #expect(try await browser.value("document.getElementById('words').textContent")?.contains("used up") == true)
        #expect(try await browser.value(Self.state) == "refused")
        #expect(
            try await scene.log(["success": 0]).map { $0.string("reason") } == ["No Uses Remaining", "Missing Ticket"])

        // The same page plays as soon as the ticket is good.
        try await scene.account.succeed("sevu.update", ["key": .string(usedUp.key), "uses": 2])
        #expect(try await browser.value("document.getElementById('again').click()") == "undefined")
        try await plays(browser)
    }

    @Test("Who loses the ticket in the middle is told so", arguments: Way.allCases)
    func revoked(way: Way) async throws {
        let scene = try await TicketScene(quick: [], way.settings)
        let ticket = try await scene.ticket(uses: 1)
        let browser = try PageBrowser(scene.origin.page("paid", query: ticket.query))
        try await plays(browser)
        try await scene.account.succeed("sevu.revoke", ["key": .string(ticket.key)])
        try await browser.wait(for: Self.headline, toBe: "Your ticket is no longer good")
        #expect(try await browser.value(Self.state) == "withdrawn")
        if let path = ProcessInfo.processInfo.environment["SCREENSHOT_FOLDER"] {
            try await browser.screenshot().write(to: URL(filePath: "\(path)/withdrawn-\(way.rawValue).png"))
        }
    }

    @Test("A stream that is not on the air yet is waited for, and starts by itself", arguments: Way.allCases)
    func offline(way: Way) async throws {
        let scene = try await TicketScene(quick: [], way.settings, isOnAir: false)
        let ticket = try await scene.ticket(uses: 1)
        let browser = try PageBrowser(scene.origin.page("paid", query: ticket.query))
        try await browser.wait(for: Self.headline, toBe: "Not on air yet")
        #expect(try await scene.attempts(ticket) == 0)
        let encoder = try TinyEncoder(to: scene.origin.rtmp("paid"))
        try await plays(browser)
        #expect(try await scene.remaining(ticket) == "0")
        try await encoder.stop()
    }

    @Test(
        "A stream that ends is said to have ended, and its return starts by itself for the same use",
        arguments: Way.allCases)
    func ended(way: Way) async throws {
        let scene = try await TicketScene(quick: [], way.settings + ["hls.session_timeout: 20"])
        let ticket = try await scene.ticket(uses: 1)
        let browser = try PageBrowser(scene.origin.page("paid", query: ticket.query))
        try await plays(browser)
        try await scene.encoder?.stop()
        try await browser.wait(for: Self.headline, toBe: "The stream has ended")
        let again = try TinyEncoder(to: scene.origin.rtmp("paid"))
        try await plays(browser)
        #expect(try await scene.attempts(ticket) == 1)
        try await again.stop()
    }

    @Test("The page is one for all, says nothing about tickets, and talks to this server alone")
    func onePage() async throws {
        let scene = try await TicketScene(["player.hls_js: \(Places.player)"])
        let good = try await Web.get(scene.origin.page("paid", query: "?key=a&pass=b"))
        #expect(good.status == 200)
        #expect(good.body == (try await Web.get(scene.origin.page("other.smil"))).body)
        #expect(good.headers["cache-control"] == "public, max-age=600")
        #expect(good.headers["referrer-policy"] == "strict-origin")
        #expect(good.headers["content-type"] == "text/html; charset=utf-8")
        #expect(good.headers["content-security-policy"]?.hasPrefix("default-src 'none'; script-src 'sha256-") == true)
        #expect(good.headers["content-security-policy"]?.hasSuffix("frame-ancestors *") == true)
        #expect(!String(decoding: good.body, as: UTF8.self).contains("://"))
        #expect(try await scene.log().isEmpty)

        let bare = try await Web.get(String(scene.origin.page("mp4:paid").dropLast()) + "?key=a&pass=b")
        #expect(bare.status == 302)
        #expect(bare.headers["location"] == "./mp4:paid/?key=a&pass=b")
        #expect(bare.headers["cache-control"] == "private, no-store")
        #expect(try await Web.get(scene.origin.page("a%20stream")).status == 404)
    }
}

extension OriginProcess {
    /// The address of the page that plays a stream.
    func page(_ stream: String, query: String = "") -> String {
        playlist(stream, query: query).replacing("playlist.m3u8", with: "")
    }
}

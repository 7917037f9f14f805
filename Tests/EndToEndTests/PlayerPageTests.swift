import ControlAPI
import Foundation
import RTMP
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

    @Test("A program of three renditions has a menu of them, and who chooses one gets it")
    func qualities() async throws {
        let origin = try await OriginProcess(Way.library.settings)
        let account = try await origin.account()
        var arguments = [
            "ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-re", "-f", "lavfi", "-i",
            "testsrc2=size=256x144:rate=10",
        ]
        for height in [36, 72, 144] {
            let name = "show_\(height)p"
            try await account.openStream(name)
            arguments += [
                "-map", "0:v", "-s", "\(height * 16 / 9)x\(height)", "-c:v", "libx264", "-preset", "ultrafast", "-tune",
                "zerolatency", "-threads", "1", "-pix_fmt", "yuv420p", "-b:v", "\(height)k", "-g", "5", "-f", "flv",
                origin.rtmp(name),
            ]
        }
        let encoder = try ForeignProgram(arguments)
        try await eventually("the program: \(encoder.errors)") {
            try await HTTPGet(origin.playlist("show")).text.components(separatedBy: "#EXT-X-STREAM-INF").count == 4
        }
        let browser = try PageBrowser(origin.page("show"))
        try await plays(browser)
        let menu = "document.getElementById('quality')"
        #expect(try await browser.value("\(menu).hidden") == "false")
        #expect(try await browser.value("[...\(menu).options].map((option) => option.text)") == "Auto,36p,72p,144p")
        #expect(try await browser.value("\(menu).value") == "-1")
        for (choice, width) in [("2", "256"), ("0", "64"), ("1", "128")] {
            _ = try await browser.value("(\(menu).value = '\(choice)', \(menu).dispatchEvent(new Event('change')))")
            try await browser.wait(for: "document.getElementById('video').videoWidth", toBe: width)
            try await plays(browser)
        }
        encoder.kill()
    }

    @Test("What an encoder says beside audio and video comes to the page when it is due")
    func timedMetadata() async throws {
        let tags = try FLVFile(path: try await SourceMedia.h264AAC().path).tags
        let origin = try await OriginProcess(Way.library.settings)
        try await origin.account().openStream("show")
        let peer = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show")
        let publishing = Task {
            let clock = ContinuousClock()
            let began = clock.now
            var next: Int64 = 0
            for round in 0..<20 as Range<Int64> {
                for tag in tags where round == 0 || !tag.isHeader {
                    let time = tag.timestamp + round * 8_000
                    try await clock.sleep(until: began + .milliseconds(time))
                    if time >= next {
                        next = time + 500
                        let told = RTMPDataMessage(
                            streamID: 1, name: "onTextData", values: [.object(["text": .string("\(time)")])])
                        try await peer.send(.dataAMF0, timestamp: UInt32(time), body: told.body)
                    }
                    try await peer.send(tag.type, timestamp: UInt32(time), body: tag.body)
                }
            }
        }
        defer { publishing.cancel() }
        try await eventually("a playlist") { try await origin.mediaPlaylist("show") != nil }
        let browser = try PageBrowser(origin.page("show"))
        try await plays(browser)
        let cues =
            "[...document.getElementById('video').textTracks].filter((track) => track.kind === 'metadata')"
            + ".flatMap((track) => [...track.cues]).filter((cue) => cue.value && cue.value.info === 'onTextData')"
        try await browser.wait(for: "\(cues).length >= 6", toBe: "true")
        #expect(try await browser.value("\(cues).every((cue) => cue.value.key === 'TXXX')") == "true")
        // Each within a frame of its place on the encoder's clock: none is before the part that it comes in.
        let places = "\(cues).map((cue) => Math.round(cue.startTime * 1000 - Number(JSON.parse(cue.value.data).text)))"
        let all = (try await browser.value(places) ?? "").split(separator: ",").compactMap { Int($0) }
        #expect((all.max() ?? .max) - (all.min() ?? 0) <= 40, "\(all)")
        let video = "document.getElementById('video')"
        let due =
            "\(cues).some((cue) => [...cue.track.activeCues].includes(cue) && Math.abs(cue.startTime - \(video).currentTime) < 1)"
        try await browser.wait(for: due, toBe: "true")
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

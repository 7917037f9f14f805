import Foundation
import TestSupport
import Testing

/// A real browser with a real player (hls.js over Media Source Extensions).
@Suite(.serialized) struct BrowserTests {
    @Test("Chromium plays a ticketed stream", .enabled(if: Browser.isInstalled, "chromium is not installed"))
    func chromiumPlaysATicketedStream() async throws {
        try #require(
            FileManager.default.fileExists(atPath: Places.player), "no hls.js: run scripts/fetch-player first")
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 1, ["ip": "auto"])
        let browser = try await open(scene.viewer(ticket).url)
        defer { browser.stop() }
        do {
            try await eventually("three reports of a growing time", within: .seconds(60)) {
                browser.reports.count { $0["time"] != nil } >= 3
            }
        } catch {
            throw ProgramFailure(description: "\(error); \(browser.state)")
        }
        let times = browser.reports.compactMap { $0["time"].flatMap(Double.init) }
        #expect(times.count >= 3)
        #expect(times == times.sorted() && Set(times).count == times.count)
        #expect((times.first ?? 0) > 0)
        let seen = browser.reports.last { $0["time"] != nil }
        #expect(seen?["width"] == "128")
        #expect(seen?["height"] == "72")
        #expect(seen?["mse"] == "true")
        #expect(!browser.reports.contains { $0["fatal"] == "true" })
        // Playlists, segments and reloads of playlists are one use.
        #expect(try await scene.remaining(ticket) == "0")
        #expect(try await scene.attempts(ticket) == 1)
        let row = try await scene.log().first
        #expect(row?.string("pageurl").hasPrefix("http://127.0.0.1:") == true)
    }

    @Test("Chromium is refused without a ticket", .enabled(if: Browser.isInstalled, "chromium is not installed"))
    func chromiumIsRefusedWithoutATicket() async throws {
        try #require(
            FileManager.default.fileExists(atPath: Places.player), "no hls.js: run scripts/fetch-player first")
        let scene = try await TicketScene()
        let browser = try await open(scene.origin.playlist("paid"))
        defer { browser.stop() }
        do {
            try await eventually("the refusal", within: .seconds(60)) {
                browser.reports.contains { $0["error"] == "manifestLoadError" }
            }
        } catch {
            throw ProgramFailure(description: "\(error); \(browser.state)")
        }
        #expect(!browser.reports.contains { $0["time"] != nil })
        #expect(try await scene.log().map { $0.string("reason") } == ["Missing Ticket"])
    }

    private func open(_ stream: String) async throws -> Browser {
        let encoded = stream.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        return try await Browser(page: "player.html", files: ["hls.js": Places.player], query: "stream=\(encoded)")
    }
}

import ControlAPI
import Foundation
import TestSupport
import Testing

/// The pay-per-view page in docs/embedding.md, run as it stands there.
struct EmbeddingTests {
    private static let state = "document.getElementById('player').dataset.state"
    private static let note = "document.getElementById('note').textContent"

    /// The code block of a file that the document names.
    private func block(_ file: String) throws -> String {
        let text = try String(contentsOfFile: Places.repository + "/docs/embedding.md", encoding: .utf8)
        guard let start = text.range(of: "`\(file)`:\n\n```php\n"),
            let end = text.range(of: "\n```\n", range: start.upperBound..<text.endIndex)
        else { throw ProgramFailure(description: "no \(file) in the document") }
        return String(text[start.upperBound..<end.lowerBound]) + "\n"
    }

    @Test(
        "The documented page lets paying customers watch, with one ticket, and says why one is refused",
        .enabled(if: Browser.isInstalled, "chromium is not installed"))
    func payPerView() async throws {
        let origin = try await OriginProcess(OriginProcess.quick + ["player.hls_js: \(Places.player)"])
        let account = try await origin.account()
        let encoder = try await origin.publish("mystream", as: account, ["protection": "sevu"])
        let folder = try Folder()
        for file in ["shop.php", "watch.php"] { try folder.write(try block(file), to: file) }
        let port = try FreePort.take()
        let php = try ForeignProgram(
            ["php", "-S", "localhost:\(port)", "-t", folder.path],
            environment: [
                "PLAYHOUSE_API": account.url, "PLAYHOUSE_CDN": "\(account.keys.accountID)",
                "PLAYHOUSE_API_KEY": account.keys.apiKey, "PLAYHOUSE_PRIVATE_KEY": account.keys.privateKey,
                "PLAYHOUSE_PLAYERS": "http://127.0.0.1:\(origin.httpPort)",
            ])
        defer { php.kill() }
        let page = "http://localhost:\(port)/watch.php"
        try await eventually("PHP: \(php.errors)") { (try? await HTTPGet(page).status) == 200 }
        let frame = ":\(origin.httpPort)/demo-origin/play/mystream/"

        let stranger = try PageBrowser(page)
        try await logIn("bob", stranger)
        try await stranger.wait(for: Self.note, toBe: "You have not ordered this show.")
        stranger.stop()

        let browser = try PageBrowser(page)
        try await logIn("ann", browser)
        try await browser.wait(for: Self.state, toBe: "playing", in: frame)
        #expect(try await browser.value(Self.note) == "")
        // A reload is the same ticket, and no other use.
        try await browser.open(page)
        try await browser.wait(for: "document.readyState", toBe: "complete")
        try await browser.wait(for: Self.state, toBe: "playing", in: frame)
        let tickets = try await tickets(account)
        #expect(tickets.map { $0.string("used_count") } == ["1"])
        let ticket = try #require(tickets.first)
        #expect(ticket.string("pass").hasPrefix("order-1001-"))

        try await account.succeed("sevu.revoke", ["key": .string(ticket.string("key"))])
        try await browser.wait(
            for: Self.note, toBe: "Your ticket was withdrawn. Please write to us if you think that this is wrong.")
        #expect(try await browser.value(Self.state, in: frame) == "withdrawn")
        try await account.succeed(
            "sevu.update", ["key": .string(ticket.string("key")), "active": 1, "expire": "+1 hour"])
        _ = try await browser.value("document.getElementById('again').click()", in: frame)
        try await browser.wait(for: Self.state, toBe: "playing", in: frame)
        try await browser.wait(for: Self.note, toBe: "")
        try await encoder.stop()
    }

    private func logIn(_ name: String, _ browser: PageBrowser) async throws {
        try await browser.wait(for: "document.querySelectorAll('form').length", toBe: "1")
        _ = try await browser.value(
            """
            (document.querySelector('[name=user]').value = '\(name)', \
            document.querySelector('[name=password]').value = '\(name)-secret', document.forms[0].submit())
            """)
    }

    private func tickets(_ account: TestAccount) async throws -> [JSONObject] {
        try await account.succeed("sevu.list")["tickets"]?.arrayValue?.compactMap(\.objectValue) ?? []
    }
}

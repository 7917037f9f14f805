import Foundation
import Storage
import TestSupport
import Testing
import Usher

@Suite("playhouse explain") struct ExplainCommandTests {
    private static let now = Date()

    /// A store with account `demo`, three streams under an app that asks for tickets, and one ticket.
    private func withStore(_ body: (Program, SQLiteStore) async throws -> Void) async throws {
        let program = try Program()
        defer { program.remove() }
        try program.write(
            "storage.path: data\nusher.protected: [demo-vod/*]\nusher.default_protection: none\n", to: "c.yaml")
        let store = try await SQLiteStore.open(folder: program.folder.appending(path: "data").path)
        let now = Self.now
        try await store.insertAccount(Account(id: 7, user: "demo", created: now))
        for (stream, protection) in [("*", .sevu), ("free", .open), ("show", nil)] as [(String, Protection?)] {
            _ = try await store.upsertStream(
                StreamSettings(
                    accountID: 7, app: "demo-origin", stream: stream, protection: protection, created: now))
        }
        for (stream, user) in [("show", "cam1"), ("show", "cam2"), ("free", nil), ("*", "any")] {
            _ = try await store.insertStreamUser(
                StreamUser(
                    accountID: 7, app: "demo-origin", stream: stream, user: user,
                    passwordHash: user.map { "hash of \($0)" }, created: now))
        }
        _ = try await store.insertTicket(
            Ticket(
                accountID: 7, key: "show.1", pass: "p", ip: "auto|198.51.100.0/24", app: "demo-*", video: "show",
                uses: 2,
                created: now, expires: now + 3_600))
        try await body(program, store)
        try await store.close()
    }

    @Test(
        "It says who may publish and watch, and what says so",
        arguments: [
            (
                "demo-origin/show", "with a password: cam1, cam2, by the stream",
                "with a ticket, say the settings of the app's *"
            ),
            (
                "demo-live/free", "anybody, says a user of the stream without a login",
                "anybody, say the stream's settings"
            ),
            (
                "demo-origin/free_360p", "with a password: any, by the app's *",
                "anybody, say the settings of free, which it is a rendition of"
            ),
            (
                "demo-vod/films/a.mp4", "nobody: neither the stream nor the app's * has a user (sevu.addstreamuser)",
                "with a ticket, says demo-vod/* of usher.protected"
            ),
            (
                "demo-chorigin/x", "nobody: neither the stream nor the app's * has a user (sevu.addstreamuser)",
                "anybody, says usher.default_protection"
            ),
        ])
    func streams(stream: String, publish: String, watch: String) async throws {
        try await withStore { program, _ in
            let outcome = try await program.run("explain", stream, "--config", "c.yaml")
            let name = stream.replacing("demo-live", with: "demo-origin")
            #expect(outcome.errors == "")
            #expect(outcome.output == "\(name)\naccount  demo, CDN 7\npublish  \(publish)\nwatch    \(watch)\n")
            #expect(outcome.code == 0)
        }
    }

    @Test(
        "It says what would become of a viewer, and charges nothing",
        arguments: [
            (
                "show", "192.0.2.7", "show.1", "p", 0,
                "admitted: costs one of 2 uses that are left, and binds the ticket to 192.0.2.7/32; the ticket expires "
            ),
            (
                "show_360p", "198.51.100.9", "show.1", "p", 0,
                "admitted: costs one of 2 uses that are left; the ticket expires "
            ),
            ("show", "192.0.2.7", "show.1", "wrong", 1, "refused: Invalid Password"),
            ("show", "192.0.2.7", "none", "p", 1, "refused: Invalid Auth Token"),
            ("other", "192.0.2.7", "show.1", "p", 1, "refused: Invalid Video"),
            ("show", "192.0.2.7", "", "", 1, "refused: Missing Ticket"),
            ("free", "192.0.2.7", "", "", 0, "admitted, no ticket is asked for"),
        ])
    func viewers(stream: String, ip: String, key: String, pass: String, code: Int32, answer: String) async throws {
        try await withStore { program, store in
            let before = try await store.ticket(key: "show.1")
            var arguments = ["explain", "demo-origin/\(stream)", "--config", "c.yaml", "--ip", ip]
            if !key.isEmpty { arguments += ["--key", key, "--pass", pass] }
            let outcome = try await program.run(arguments)
            #expect(outcome.code == code)
            let line = outcome.output.split(separator: "\n").last { $0.hasPrefix("viewer   ") } ?? ""
            #expect(line.hasPrefix("viewer   \(answer)"), "\(outcome.output)\(outcome.errors)")
            #expect(try await store.ticket(key: "show.1") == before)
            #expect(try await store.attempts(accountID: 7, filter: AttemptFilter(), limit: 10, offset: 0) == [])
        }
    }

    @Test("It says what would become of a viewer with a signed token")
    func tokens() async throws {
        try await withStore { program, store in
            let text = "aabbccddeeff00112233445566778899"
            var row = StreamSettings(
                accountID: 7, app: "demo-origin", stream: "signed", protection: .hmac, created: Self.now)
            try row.setTokenSecrets(
                [text], with: try ServerSecret.load(folder: program.folder.appending(path: "data").path))
            _ = try await store.upsertStream(row)
            let secret = try #require(HDNEASecret(hexadecimal: text))
            let good = HDNEAToken(expires: 4_000_000_000, acl: ["/demo-live/play/signed/*"]).text(secret: secret)
            let wrong = HDNEAToken(expires: 4_000_000_000, acl: ["/demo-live/play/other/*"]).text(secret: secret)
            for (token, code, answer) in [
                (good, 0, "admitted: the token is good until 2096-10-02 07:06:40"),
                (wrong, 1, "refused: Invalid HMAC Token"),
            ] as [(String, Int32, String)] {
                let outcome = try await program.run(
                    "explain", "demo-live/signed", "--token", token, "--config", "c.yaml")
                #expect(outcome.code == code)
                #expect(
                    outcome.output.hasSuffix(
                        "watch    with a signed token, say the stream's settings\nviewer   \(answer)\n"),
                    "\(outcome.output)\(outcome.errors)")
            }
            #expect(try await store.attempts(accountID: 7, filter: AttemptFilter(), limit: 10, offset: 0) == [])
        }
    }

    @Test("It says what would become of a viewer by his country")
    func places() async throws {
        try await withStore { program, store in
            try CountryFile.write(
                [CountryFile.v4(192, 0, 2, 0, prefix: 24, "DE")],
                to: program.folder.appending(path: "countries.mmdb").path)
            _ = try await store.upsertStream(
                StreamSettings(
                    accountID: 7, app: "demo-origin", stream: "near", protection: .geoip, allowedCountries: ["DE"],
                    created: Self.now))
            for (variable, ip, code, answer) in [
                ("countries.mmdb", "192.0.2.1", 0, "admitted, by country or network"),
                ("countries.mmdb", "192.0.3.1", 1, "refused: Country Not Allowed"),
                ("", "192.0.2.1", 1, "refused: Country Not Allowed"),
            ] as [(String, String, Int32, String)] {
                let outcome = try await program.run(
                    "explain", "demo-origin/near", "--ip", ip, "--config", "c.yaml",
                    environment: ["PLAYHOUSE_USHER_COUNTRY_DATABASE": variable])
                #expect(outcome.code == code)
                #expect(
                    outcome.output.hasSuffix(
                        "watch    by country and network, say the stream's settings\nviewer   \(answer)\n"),
                    "\(outcome.output)\(outcome.errors)")
            }
        }
    }

    @Test("A suspended account and an app that is nobody's are said")
    func accounts() async throws {
        try await withStore { program, store in
            try await store.setSuspension(accountID: 7, "unpaid")
            let suspended = try await program.run("explain", "demo-origin/show", "--config", "c.yaml").output
            #expect(
                suspended.contains(
                    "\naccount  demo, CDN 7, suspended: unpaid\npublish  nobody: the account is suspended\n"))
            let foreign = try await program.run("explain", "other-origin/x", "--config", "c.yaml").output
            #expect(foreign.contains("\naccount  none: no account's name begins the app's\n"))
            #expect(foreign.hasSuffix("\nwatch    nobody: the app is no account's\n"))
            let viewer = try await program.run("explain", "other-origin/x", "--ip", "192.0.2.1", "--config", "c.yaml")
            #expect(viewer.output.hasSuffix("\nviewer   refused: Missing Ticket\n") && viewer.code == 1)
        }
    }

    @Test(
        "What is no stream or address is refused",
        arguments: [["demo-origin"], ["demo-origin/live/show"], ["/x"], ["demo-origin/s", "--ip", "x"]])
    func wrongUsage(arguments: [String]) async throws {
        let program = try Program()
        defer { program.remove() }
        #expect(try await program.run(["explain"] + arguments).code == 64)
    }
}

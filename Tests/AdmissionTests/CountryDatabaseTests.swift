import Basics
import Foundation
import Logging
import Storage
import TestSupport
import Testing
import Usher

@testable import Admission

@Suite struct CountryDatabaseTests {
    private static let first = [
        CountryFile.v4(203, 0, 113, 0, prefix: 24, "DE"), CountryFile.v4(203, 0, 113, 128, prefix: 25, "FR"),
        (address: [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 12), prefix: 32, country: "at"),
    ]

    private func country(_ database: CountryDatabase, _ address: String) throws -> PlaceRule.Country {
        database.country(of: try #require(IPAddress(address)))
    }

    @Test("Addresses of both families are found in their narrowest network")
    func lookUps() throws {
        let folder = try Folder()
        let path = folder.file("countries.mmdb")
        try CountryFile.write(Self.first, to: path)
        let database = CountryDatabase(paths: [path], logger: Logger(label: "test"))
        #expect(try country(database, "203.0.113.1") == .noDatabase)
        #expect(database.refresh())
        for (address, expected) in [
            ("203.0.113.1", .code("DE")), ("203.0.113.127", .code("DE")), ("203.0.113.128", .code("FR")),
            ("203.0.114.1", .unknown), ("2001:db8:1::1", .code("AT")), ("2001:db9::1", .unknown), ("::1", .unknown),
        ] as [(String, PlaceRule.Country)] {
            #expect(try country(database, address) == expected, "\(address)")
        }
    }

    @Test("A file that takes another's place is read, once; one that is none, or goes, leaves what was known")
    func replaced() throws {
        let folder = try Folder()
        let path = folder.file("countries.mmdb")
        let log = CapturedLog()
        let database = CountryDatabase(paths: [path], logger: log.logger)
        #expect(!database.refresh() && !database.isLoaded)
        #expect(!database.refresh())
        #expect(log.lines.count == 1)
        try CountryFile.write(Self.first, to: path)
        #expect(database.refresh() && !database.refresh())

        try CountryFile.write([CountryFile.v4(203, 0, 113, 0, prefix: 24, "IT")], to: path)
        #expect(database.refresh())
        #expect(try country(database, "203.0.113.200") == .code("IT"))

        // Written over where it is, in two steps, as a careless copy does: what is in use does not change under it.
        let whole = CountryFile.bytes(Self.first)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(whole.prefix(100)))
        #expect(try country(database, "203.0.113.200") == .code("IT"))
        let before = log.lines.count
        #expect(!database.refresh() && !database.refresh())
        #expect(log.lines.count == before + 1)
        #expect(try country(database, "203.0.113.200") == .code("IT"))
        try handle.write(contentsOf: Data(whole.dropFirst(100)))
        #expect(database.refresh())
        #expect(try country(database, "203.0.113.200") == .code("FR"))

        try FileManager.default.removeItem(atPath: path)
        #expect(!database.refresh())
        #expect(try country(database, "203.0.113.1") == .code("DE"))
    }

    @Test("Of several files the first that knows an address decides, and each is read again when it is replaced")
    func several() throws {
        let folder = try Folder()
        let log = CapturedLog()
        let paths = ["own", "v4", "v6"].map { folder.file("\($0).mmdb") }
        let database = CountryDatabase(paths: paths, logger: log.logger)
        func countries() throws -> [PlaceRule.Country] {
            try ["203.0.113.1", "203.0.113.200", "2001:db8::1", "198.51.100.1"].map { try country(database, $0) }
        }
        try CountryFile.write([CountryFile.v4(203, 0, 113, 128, prefix: 25, "FR")], to: paths[0])
        try CountryFile.write([CountryFile.v4(203, 0, 113, 0, prefix: 24, "DE")], version: 4, to: paths[1])
        #expect(database.refresh() && database.isLoaded && database.unread == [paths[2]])
        // Where nobody else knows an address, the file that is missing might.
        #expect(try countries() == [.code("DE"), .code("FR"), .noDatabase, .noDatabase])
        #expect(!database.refresh())
        let complaints = log.lines.map(\.text).filter { $0.contains("not read") }
        #expect(complaints.count == 1)
        #expect(complaints.first?.contains("admit nobody whom no other one knows") == true)

        try CountryFile.write(Self.first + [CountryFile.v4(198, 51, 100, 0, prefix: 25, "IT")], to: paths[2])
        #expect(database.refresh() && database.unread == [])
        #expect(try countries() == [.code("DE"), .code("FR"), .code("AT"), .code("IT")])
        #expect(try country(database, "198.51.100.128") == .unknown)

        try CountryFile.write([CountryFile.v4(203, 0, 113, 0, prefix: 24, "ES")], version: 4, to: paths[1])
        #expect(database.refresh())
        #expect(try countries() == [.code("ES"), .code("FR"), .code("AT"), .code("IT")])
        try FileManager.default.removeItem(atPath: paths[0])
        #expect(!database.refresh())
        #expect(try countries() == [.code("ES"), .code("FR"), .code("AT"), .code("IT")])
    }

    @Test("Files that are no database are told from those that are", arguments: ["", "text", "\u{0}"])
    func checked(text: String) throws {
        let folder = try Folder()
        #expect(throws: CountryDatabase.Failure.self) { try CountryDatabase.check(path: folder.file("none")) }
        #expect(throws: CountryDatabase.Failure.self) { try CountryDatabase.check(path: folder.path) }
        let path = try folder.write(text, to: "countries.mmdb")
        #expect(throws: CountryDatabase.Failure.self) { try CountryDatabase.check(path: path) }
        // Cut anywhere it is none, and nothing worse.
        let whole = CountryFile.bytes(Self.first)
        for count in stride(from: 1, to: whole.count, by: 7) {
            try Data(whole.prefix(count)).write(to: URL(fileURLWithPath: path))
            #expect(throws: CountryDatabase.Failure.self, "\(count) bytes") { try CountryDatabase.check(path: path) }
        }
        try Data(whole).write(to: URL(fileURLWithPath: path))
        try CountryDatabase.check(path: path)
    }

    // MARK: Admission

    /// A node that knows `first` by the file `countries.mmdb` in the folder, and the stream `s` with these settings.
    private func withNode(
        _ settings: StreamSettings, _ body: @escaping @Sendable (Scene, Admissions, Folder) async throws -> Void
    ) async throws {
        let folder = try Folder()
        let path = folder.file("countries.mmdb")
        try CountryFile.write(Self.first, to: path)
        let database = CountryDatabase(paths: [path], logger: Logger(label: "test"))
        database.refresh()
        try await Scene.run { scene in
            _ = try await scene.store.upsertStream(settings)
            let clock = scene.clock
            try await body(
                scene, Admissions(store: scene.store, countries: database, now: { clock.both }), folder)
        }
    }

    private static func settings(_ protection: Protection, _ change: (inout StreamSettings) -> Void) -> StreamSettings {
        var settings = StreamSettings(
            accountID: 7, app: "demo-origin", stream: "s", protection: protection,
            created: Date(timeIntervalSince1970: 1_700_000_000))
        change(&settings)
        return settings
    }

    @Test("By country a viewer has a session as with a ticket, and one row in the log")
    func sessions() async throws {
        try await withNode(Self.settings(.geoip) { $0.allowedCountries = ["DE"] }) { scene, node, _ in
            let facts = scene.facts(key: nil, pass: nil, address: "203.0.113.9")
            let id = try #require(try await scene.enter(node, facts))
            #expect(try await node.admit(facts, session: id) == .granted(id))
            #expect(node.permits(scene.segment(), session: id))
            #expect(try await node.offer(facts) == .granted(id))
            let french = scene.facts(key: nil, pass: nil, address: "203.0.113.200")
            #expect(try await node.offer(french) == .refused(.countryNotAllowed))
            #expect(try await node.admit(french, session: id) == .refused(.countryNotAllowed))
            #expect(try await node.admit(connection: french, onEnd: { _ in }) == .refused(.countryNotAllowed))
            let playing = try await node.admit(connection: facts, onEnd: { _ in }).grant
            #expect(playing != nil && node.sessionCount == 2)
            let rows = try await scene.store.attempts(accountID: 7, filter: AttemptFilter(), limit: 9, offset: 0)
            #expect(
                Set(rows.map { "\($0.isSuccess) \($0.address) \($0.reason) \($0.repeats)" }) == [
                    "true 203.0.113.9  1", "false 203.0.113.200 Country Not Allowed 3",
                ])
            #expect(rows.count == 3)
        }
    }

    @Test("Beside tickets the country is one more question, before a use is charged")
    func tickets() async throws {
        try await withNode(Self.settings(.sevu) { $0.deniedCountries = ["FR"] }) { scene, node, _ in
            try await scene.ticket(uses: 1)
            let french = scene.facts(address: "203.0.113.200")
            #expect(try await node.offer(french) == .refused(.countryNotAllowed))
            #expect(try await node.admit(french, session: nil) == .refused(.countryNotAllowed))
            #expect(try await node.admit(connection: french, onEnd: { _ in }) == .refused(.countryNotAllowed))
            #expect(try await scene.usedCount == 0)
            #expect(try await scene.reasons() == ["Country Not Allowed"])
            #expect(try await scene.enter(node) != nil)
            #expect(try await scene.usedCount == 1)
        }
    }

    @Test("Lists that change, and a database that does, end the sessions of those whom they do not admit")
    func changes() async throws {
        try await withNode(Self.settings(.sevu) { $0.allowedCountries = ["DE", "FR"] }) { scene, node, folder in
            try await scene.ticket()
            let german = try #require(try await scene.enter(node))
            let ends = Ends()
            _ = try await node.admit(connection: scene.facts(address: "203.0.113.200"), onEnd: ends.note)
            _ = try await scene.store.upsertStream(Self.settings(.sevu) { $0.allowedCountries = ["DE"] })
            await node.streamSettingsChanged()
            #expect(ends.all == [.revoked])
            #expect(node.permits(scene.segment(), session: german))
            _ = try await scene.store.upsertStream(
                Self.settings(.sevu) { $0.deniedNetworks = [IPNetwork(IPAddress(v4: 0xCB00_7109))] })
            await node.streamSettingsChanged()
            #expect(!node.permits(scene.segment(), session: german))

            // However long ago settings were changed.
            _ = try await scene.store.upsertStream(Self.settings(.sevu) { $0.allowedCountries = ["DE"] })
            await node.streamSettingsChanged()
            let other = try #require(try await scene.enter(node))
            scene.clock.advance(30)
            try await node.reviewRules()
            #expect(node.permits(scene.segment(), session: other))
            try CountryFile.write([CountryFile.v4(203, 0, 113, 0, prefix: 24, "FR")], to: folder.file("countries.mmdb"))
            await node.refreshCountries()
            try await node.reviewRules()
            #expect(!node.permits(scene.segment(), session: other))
        }
    }

    @Test("Without a database lists of countries admit nobody, and that is said when they are set")
    func noDatabase() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let clock = scene.clock
            let node = Admissions(store: scene.store, now: { clock.both })
            for (settings, warning) in [
                (
                    Self.settings(.geoip) { $0.deniedCountries = ["FR"] },
                    "there is no country database (usher.country_database), so who is in no network of allow_networks cannot watch"
                ),
                (
                    Self.settings(.geoip) { _ in },
                    "no countries or networks are set, for the stream or for the app's *, so nobody can watch"
                ),
            ] {
                _ = try await scene.store.upsertStream(settings)
                await node.streamSettingsChanged()
                #expect(try await node.offer(scene.facts(key: nil)) == .refused(.countryNotAllowed))
                #expect(node.warnings(app: "demo-origin", stream: "s", settings: [settings]) == [warning])
            }
            let folder = try Folder()
            try CountryFile.write(Self.first, to: folder.file("some"))
            let paths = [folder.file("some"), folder.file("missing")]
            let database = CountryDatabase(paths: paths, logger: Logger(label: "test"))
            database.refresh()
            let partly = Admissions(store: scene.store, countries: database, now: { clock.both })
            #expect(
                partly.warnings(
                    app: "demo-origin", stream: "s", settings: [Self.settings(.geoip) { $0.deniedCountries = ["FR"] }])
                    == [
                        "the country database \(paths[1]) could not be read, so whom no other one knows can only watch by allow_networks"
                    ])
            let open = Self.settings(.open) { $0.deniedCountries = ["FR"] }
            #expect(
                node.warnings(app: "demo-origin", stream: "s", settings: [open]) == [
                    "protection is none, so the lists of countries and networks are not looked at"
                ])
        }
    }
}

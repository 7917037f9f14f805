import Basics
import Storage
import Testing

@Suite("Every store: streams and their users")
struct StreamConformance {
    private func settings(_ stream: String, accountID: AccountID = 1, app: String = "demo-origin") -> StreamSettings {
        StreamSettings(
            accountID: accountID, app: app, stream: stream, protection: .sevu, sealedTokenSecrets: "1:a",
            sealedTokenSalt: "1:b", allowedCountries: ["DE", "FR"], deniedCountries: [],
            allowedNetworks: [IPNetwork(IPAddress(v4: 0x7F00_0001))], deniedNetworks: [], reconnectWindow: 30,
            endsOnUnpublish: false,
            playlistCount: 6, record: true, recordType: "stream", segmentType: "duration", segmentValue: "3600",
            saveFolder: "shows/é", enableDVR: true, gaKey: "UA-1", created: at(0))
    }

    private func user(_ name: String?, stream: String = "show", streamID: Int64 = 0, accountID: AccountID = 1)
        -> StreamUser
    {
        StreamUser(
            streamID: streamID, accountID: accountID, app: "demo-origin", stream: stream, user: name,
            passwordHash: name.map { "$2b$\($0)" }, sealedChallengeVerifier: name.map { "1:\($0)" },
            challengeSalt: name.map { "salt \($0)" }, created: at(1))
    }

    @Test("Settings come back as they were stored", arguments: StoreKind.allCases)
    func stored(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let full = try await store.upsertStream(settings("show"))
            let plain = try await store.upsertStream(
                StreamSettings(accountID: 1, app: "demo-origin", stream: "plain", created: at(2)))
            var expected = settings("show")
            expected.id = full.id
            #expect(full == expected)
            #expect(try await store.stream(id: full.id) == expected)
            #expect(try await store.streams(accountID: 1) == [expected, plain])
            #expect(try await store.streams(accountID: 2) == [])
            #expect(try await store.stream(id: full.id + 100) == nil)
        }
    }

    @Test("Storing a stream again replaces everything but id and creation date", arguments: StoreKind.allCases)
    func replaced(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let first = try await store.upsertStream(settings("show"))
            let second = try await store.upsertStream(
                StreamSettings(accountID: 1, app: "demo-origin", stream: "show", created: at(500)))
            var expected = StreamSettings(accountID: 1, app: "demo-origin", stream: "show", created: at(0))
            expected.id = first.id
            #expect(second == expected)
            #expect(try await store.streams(accountID: 1) == [expected])
        }
    }

    @Test("Every change of settings is counted, and nothing else is", arguments: StoreKind.allCases)
    func counted(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            #expect(try await store.currentSettingsRevision() == 0)
            let row = try await store.upsertStream(settings("show"))
            _ = try await store.upsertStream(settings("show"))
            #expect(try await store.currentSettingsRevision() == 2)
            _ = try await store.insertStreamUser(user("a", streamID: row.id))
            #expect(try await store.currentSettingsRevision() == 2)
            _ = try await store.insertStreamUser(user("a", stream: "other"))
            #expect(try await store.currentSettingsRevision() == 3)
        }
    }

    @Test("A stream of another account is not taken over", arguments: StoreKind.allCases)
    func foreign(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let mine = try await store.upsertStream(settings("show"))
            await #expect(throws: StoreError.duplicate("stream demo-origin/show")) {
                try await store.upsertStream(settings("show", accountID: 2))
            }
            await #expect(throws: StoreError.duplicate("stream demo-origin/show")) {
                try await store.insertStreamUser(user("eve", accountID: 2))
            }
            #expect(try await store.streamSettings(app: "demo-origin", stream: "show") == [mine])
            #expect(try await store.streamUsers(accountID: 2, app: nil, stream: nil) == [])
        }
    }

    @Test(
        "A stream's settings come from its own row, that of the stream it is a rendition of, and the app's star row",
        arguments: StoreKind.allCases)
    func inheritance(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let all = try await store.upsertStream(settings("*"))
            let source = try await store.upsertStream(settings("show"))
            let rendition = try await store.upsertStream(settings("show_360p"))
            _ = try await store.upsertStream(settings("show", accountID: 2, app: "rival-origin"))
            for (stream, rows) in [
                ("show", [source, all]), ("show_360p", [rendition, source, all]), ("show_720p", [source, all]),
                ("another", [all]), ("*", [all]),
            ] {
                #expect(try await store.streamSettings(app: "demo-origin", stream: stream) == rows, "\(stream)")
            }
            #expect(try await store.streamSettings(app: "demo-vod", stream: "show") == [])
        }
    }

    @Test(
        "A user without a settings row makes it; a row that does not exist is an error", arguments: StoreKind.allCases)
    func userMakesStream(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let first = try await store.insertStreamUser(user("ann"))
            let second = try await store.insertStreamUser(user("bob"))
            let row = try #require(try await store.streamSettings(app: "demo-origin", stream: "show").first)
            #expect(row == StreamSettings(id: row.id, accountID: 1, app: "demo-origin", stream: "show", created: at(1)))
            #expect(first.streamID == row.id && second.streamID == row.id)
            var expected = user("ann", streamID: row.id)
            expected.id = first.id
            #expect(try await store.streamUser(id: first.id) == expected)
            await #expect(throws: StoreError.notFound("what the stream belongs to")) {
                try await store.insertStreamUser(user("carl", streamID: 999))
            }
        }
    }

    @Test("A stream has a user name once, the nameless user included", arguments: StoreKind.allCases)
    func duplicateUsers(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertStreamUser(user("ann"))
            _ = try await store.insertStreamUser(user(nil))
            _ = try await store.insertStreamUser(user("ann", stream: "another"))
            await #expect(throws: StoreError.duplicate("stream user ann of demo-origin/show")) {
                try await store.insertStreamUser(user("ann"))
            }
            await #expect(throws: StoreError.duplicate("stream user without a name of demo-origin/show")) {
                try await store.insertStreamUser(user(nil))
            }
            #expect(try await store.streamUsers(accountID: 1, app: nil, stream: nil).count == 3)
        }
    }

    @Test(
        "Users are listed by account, app and stream; the app's star publishes where a stream has no users of its own",
        arguments: StoreKind.allCases)
    func lists(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let show = try await store.insertStreamUser(user("ann"))
            let star = try await store.insertStreamUser(user("bob", stream: "*"))
            let another = try await store.insertStreamUser(user("carl", stream: "another"))
            #expect(try await store.streamUsers(accountID: 1, app: nil, stream: nil) == [show, star, another])
            #expect(try await store.streamUsers(accountID: 1, app: "demo-origin", stream: "show") == [show])
            #expect(try await store.streamUsers(accountID: 1, app: "demo-vod", stream: nil) == [])
            #expect(try await store.streamUsers(accountID: 2, app: nil, stream: nil) == [])
            #expect(try await store.publishers(app: "demo-origin", stream: "show") == [show])
            #expect(try await store.publishers(app: "demo-origin", stream: "new") == [star])
            #expect(try await store.removeStreamUser(id: star.id))
            #expect(try await store.removeStreamUser(id: star.id) == false)
            #expect(try await store.streamUser(id: star.id) == nil)
            #expect(try await store.publishers(app: "demo-origin", stream: "new") == [])
            #expect(try await store.publishers(app: "demo-origin", stream: "show") == [show])
        }
    }
}

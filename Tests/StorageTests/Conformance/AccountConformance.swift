import Basics
import Storage
import Testing

@Suite("Every store: accounts and keys")
struct AccountConformance {
    @Test("An account is found by CDN id and by user name, and the list goes by CDN id", arguments: StoreKind.allCases)
    func found(kind: StoreKind) async throws {
        try await kind.run { store in
            try await store.insertAccount(.other)
            try await store.insertAccount(.demo)
            #expect(try await store.account(id: 1) == .demo)
            #expect(try await store.account(user: "other") == .other)
            #expect(try await store.account(id: 3) == nil)
            #expect(try await store.account(user: "Demo") == nil)
            #expect(try await store.accounts() == [.demo, .other])
        }
    }

    @Test("Neither CDN id nor user name is given twice", arguments: StoreKind.allCases)
    func duplicates(kind: StoreKind) async throws {
        try await kind.run { store in
            try await store.insertAccount(.demo)
            for (accountID, user) in [(1, "new"), (7, "demo")] {
                await #expect(throws: StoreError.duplicate("account \(user) with CDN id \(accountID)")) {
                    try await store.insertAccount(
                        Account(id: AccountID(rawValue: accountID), user: user, created: at(0)))
                }
            }
            #expect(try await store.accounts() == [.demo])
        }
    }

    @Test(
        "An app belongs to the account whose name is the longest that fits before a hyphen",
        arguments: StoreKind.allCases)
    func owner(kind: StoreKind) async throws {
        try await kind.run { store in
            for (accountID, user) in [(1, "a"), (2, "a-b"), (3, "a-b-c")] {
                try await store.insertAccount(Account(id: AccountID(rawValue: accountID), user: user, created: at(0)))
            }
            let cases: [(String, AccountID?)] = [
                ("a-live", 1), ("a-b", 1), ("a-b-live", 2), ("a-b-cd", 2), ("a-b-c-", 3), ("a", nil), ("ab-live", nil),
                ("A-live", nil), ("-a-live", nil), ("", nil), ("-", nil),
            ]
            for (app, accountID) in cases {
                #expect(try await store.account(owningApp: app)?.id == accountID, "\(app)")
            }
        }
    }

    @Test("A suspension is set, and lifted; an unknown account is an error", arguments: StoreKind.allCases)
    func suspension(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            try await store.setSuspension(accountID: 1, "unpaid")
            #expect(try await store.account(id: 1)?.suspension == "unpaid")
            #expect(try await store.account(id: 2)?.suspension == nil)
            try await store.setSuspension(accountID: 1, nil)
            #expect(try await store.account(id: 1) == .demo)
            await #expect(throws: StoreError.notFound("account with CDN id 9")) {
                try await store.setSuspension(accountID: 9, "x")
            }
        }
    }

    @Test("Keys come back as they were stored, and by account", arguments: StoreKind.allCases)
    func keys(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            var expected: [APIKey] = []
            for rights in KeyRights.allCases {
                let key = APIKey.generate(accountID: 1, rights: rights, label: "für \(rights)", now: at(0))
                var stored = key
                stored.id = try await store.insertKey(key).id
                #expect(stored.id > 0)
                expected.append(stored)
            }
            _ = try await store.insertKey(.generate(accountID: 2, rights: .full, label: "", now: at(0)))
            #expect(try await store.keys(accountID: 1) == expected)
            #expect(try await store.key(apiKey: expected[1].apiKey) == expected[1])
            #expect(try await store.key(apiKey: "APXNONE") == nil)
            #expect(try await store.key(apiKey: expected[1].apiKey + "\0") == nil)
            #expect(try await store.key(apiKey: expected[1].apiKey + "\0more") == nil)
            let again = expected[0]
            await #expect(throws: StoreError.duplicate("API key")) { try await store.insertKey(again) }
        }
    }

    @Test("A key is revoked once", arguments: StoreKind.allCases)
    func revoked(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let key = try await store.insertKey(.generate(accountID: 1, rights: .full, label: "", now: at(0)))
            #expect(try await store.revokeKey(apiKey: key.apiKey, at: at(5)))
            #expect(try await store.revokeKey(apiKey: key.apiKey, at: at(6)) == false)
            #expect(try await store.revokeKey(apiKey: "APXNONE", at: at(6)) == false)
            #expect(try await store.key(apiKey: key.apiKey)?.revoked == at(5))
        }
    }

    @Test("Nothing is stored for an account that does not exist", arguments: StoreKind.allCases)
    func noAccount(kind: StoreKind) async throws {
        try await kind.run { store in
            await #expect(throws: StoreError.self) {
                try await store.insertKey(.generate(accountID: 5, rights: .full, label: "", now: at(0)))
            }
            await #expect(throws: StoreError.self) { try await store.insertTicket(.sample(accountID: 5)) }
            let keys = try await store.keys(accountID: 5)
            #expect(keys == [])
            let ticket = try await store.ticket(key: "k1")
            #expect(ticket == nil)
        }
    }
}

import Basics
import Foundation
import Storage
import Testing
import Usher

@Suite("Every store: accounts that are deleted")
struct DeletionConformance {
    /// One of everything for an account, tickets twice.
    private func fill(_ store: any Store, _ account: Account) async throws {
        let (id, app) = (account.id, "\(account.user)-origin")
        _ = try await store.insertKey(.generate(accountID: id, rights: .full, label: "", now: at(0)))
        _ = try await store.upsertStream(
            StreamSettings(accountID: id, app: app, stream: "paid", protection: .sevu, created: at(0)))
        _ = try await store.insertStreamUser(
            StreamUser(accountID: id, app: app, stream: "show", user: "ann", passwordHash: "h", created: at(0)))
        _ = try await store.insertPush(
            PushService(
                accountID: id, name: "p", service: "rtmp", app: app, instance: "live", stream: "show", autopush: true,
                destination: [:], created: at(0), updated: at(0)))
        for key in ["a", "b"] {
            _ = try await store.insertTicket(.sample(accountID: id, key: app + key, app: app))
            _ = try await store.admit(.sample(.sample(key: app + key, app: app), accountID: id, joinWindow: 60))
        }
        try await history(store, account)
    }

    private func history(_ store: any Store, _ account: Account) async throws {
        let app = "\(account.user)-origin"
        try await store.recordEvent(
            OriginEvent(
                accountID: account.id, date: at(0), kind: .publish, app: app, instance: "live", stream: "show"))
        try await store.addUsage(
            [
                UsageKey(accountID: account.id, day: 1, app: app, stream: "show", delivery: .hls):
                    UsageAmount(bytes: 9)
            ],
            viewers: [
                ViewerMinute(accountID: account.id, minute: 1, app: app, stream: "show", instance: "live", server: "a"):
                    ViewerAmount(peak: 1, viewerTime: 1)
            ])
    }

    /// What of an account is found, by kind.
    private func found(_ store: any Store, _ account: Account) async throws -> [Int] {
        let (id, app) = (account.id, "\(account.user)-origin")
        let all = TicketFilter(date: at(0))
        return [
            try await store.account(id: id) == nil ? 0 : 1,
            try await store.account(owningApp: app)?.id == id ? 1 : 0,
            try await store.keys(accountID: id).count,
            try await store.streams(accountID: id).count,
            try await store.streamSettings(app: app, stream: "paid").count,
            try await store.streamUsers(accountID: id, app: nil, stream: nil).count,
            try await store.publishers(app: app, stream: "show").count,
            try await store.pushes(accountID: id).count,
            try await store.autopushes(app: app, instance: "live", stream: "show").count,
            try await store.tickets(accountID: id, filter: all, after: 0, limit: 10).tickets.count,
            try await store.events(accountID: id, app: app, stream: nil, limit: 10, offset: 0).count,
            try await store.usage(accountID: id, filter: UsageFilter(days: 0...9), by: []).count,
            try await store.viewers(accountID: id, filter: ViewerFilter(minutes: 0...9, apps: [app])).count,
        ]
    }

    @Test(
        "A deleted account is gone with everything of its own, and nothing of another's is",
        arguments: StoreKind.allCases)
    func deleted(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            for account in [Account.demo, .other] { try await fill(store, account) }
            let session = try await store.sessionToJoin(.sample(.sample(key: "demo-origina"), joinWindow: 60))
            #expect(session != nil)
            let whole = try await found(store, .other)
            #expect(whole == [1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1])
            #expect(try await found(store, .demo) == whole)
            let counted = AccountContents(keys: 1, streams: 2, streamUsers: 1, tickets: 2, pushes: 1)
            #expect(try await store.contents(accountID: 1) == counted)
            let revision = try await store.currentSettingsRevision()

            try await store.deleteAccount(id: 1, at: at(9))
            // What lets anybody in goes at once, the rest is removed in steps.
            #expect(try await found(store, .demo) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 1])
            #expect(try await store.currentSettingsRevision() == revision + 1)
            #expect(try await store.accounts() == [.other])
            #expect(try await store.deletedAccounts(after: 0).map(\.id) == [1])
            #expect(try await store.removeDeletedAccounts() == 5)
            #expect(try await found(store, .demo) == Array(repeating: 0, count: 13))
            #expect(try await store.contents(accountID: 1) == AccountContents())
            #expect(try await store.ticket(key: "demo-origina") == nil)
            #expect(try await store.sessionToJoin(.sample(.sample(key: "demo-origina"), joinWindow: 60)) == nil)
            #expect(try await store.removeDeletedAccounts() == 0)
            #expect(try await found(store, .other) == whole)
        }
    }

    @Test(
        "Deletions are told in their order, each once to who says which was the last, whatever the clock does",
        arguments: StoreKind.allCases)
    func order(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            try await store.insertAccount(Account(id: 3, user: "third", created: at(0)))
            #expect(try await store.deletedAccounts(after: 0) == [])
            var position: Int64 = 0
            for (id, seconds) in [(2, 9), (3, 9), (1, 5)] as [(AccountID, Double)] {
                try await store.deleteAccount(id: id, at: at(seconds))
                let new = try await store.deletedAccounts(after: position)
                #expect(new.map(\.id) == [id])
                position = new.last?.position ?? position
                #expect(try await store.deletedAccounts(after: position) == [])
            }
            #expect(try await store.deletedAccounts(after: 0).map(\.id) == [2, 3, 1])
        }
    }

    @Test(
        "The number of a deleted account is never given again, its name is, and what is written for it later is removed",
        arguments: StoreKind.allCases)
    func numbers(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            try await fill(store, .demo)
            try await store.deleteAccount(id: 1, at: at(9))
            await #expect(throws: StoreError.notFound("account with CDN id 1")) {
                try await store.deleteAccount(id: 1, at: at(9))
            }
            await #expect(throws: StoreError.notFound("account with CDN id 1")) {
                try await store.setSuspension(accountID: 1, "x")
            }
            await #expect(throws: StoreError.duplicate("account new with CDN id 1")) {
                try await store.insertAccount(Account(id: 1, user: "new", created: at(10)))
            }
            let next = Account(id: 3, user: "demo", created: at(10))
            try await store.insertAccount(next)
            #expect(try await found(store, next) == [1, 1] + Array(repeating: 0, count: 11))
            try await fill(store, Account(id: 2, user: "other", created: at(0)))
            // The origin tells of a stream's end when its account is gone already.
            try await history(store, .demo)
            #expect(try await store.removeDeletedAccounts() == 6)
            try await history(store, .demo)
            #expect(try await store.removeDeletedAccounts() == 3)
            #expect(try await store.account(user: "demo") == next)
        }
    }
}

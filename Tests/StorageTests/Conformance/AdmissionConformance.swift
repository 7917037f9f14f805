import Storage
import Testing
import Usher

@Suite("Every store: admission")
struct AdmissionConformance {
    @Test("An admitted viewer costs a use, and leaves one attempt", arguments: StoreKind.allCases)
    func opened(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            var expected = try await store.insertTicket(.sample(uses: 2))
            expected.usedCount = 1
            expected.lastUsed = at(5)
            #expect(
                try await store.admit(.sample(now: at(5), id: "session"))
                    == .granted(AdmittedSession(id: "session", ticket: expected, isNew: true)))
            #expect(try await store.ticket(key: "k1") == expected)
            let attempts = try await store.attempts(accountID: 1, filter: AttemptFilter(), limit: 10, offset: 0)
            var row = Attempt(accountID: 1, date: at(5), facts: .sample(), isSuccess: true, reason: "")
            row.id = attempts.first?.id ?? 0
            #expect(attempts == [row])
        }
    }

    @Test("A hundred viewers at once get ten uses exactly ten times", arguments: StoreKind.allCases)
    func tenUses(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 10))
            let outcomes = try await withThrowingTaskGroup(of: Verdict<AdmittedSession>.self) { group in
                for _ in 0..<100 { group.addTask { try await store.admit(.sample()) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let opened = outcomes.compactMap(\.openedTicket)
            #expect(opened.map(\.usedCount).sorted() == Array(1...10))
            #expect(outcomes.count { $0 == .refused(.noUsesRemaining) } == 90)
            #expect(try await store.ticket(key: "k1")?.usedCount == 10)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter(isSuccess: true)) == 10)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter(isSuccess: false)) == 90)
            let refusals = try await store.attempts(
                accountID: 1, filter: AttemptFilter(isSuccess: false), limit: 100, offset: 0)
            #expect(refusals.map(\.repeats) == [90])
            #expect(refusals.map(\.reason) == ["No Uses Remaining"])
        }
    }

    @Test("Zero uses are without limit, and counted", arguments: StoreKind.allCases)
    func unlimited(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 0))
            for count in 1...5 {
                #expect(try await store.admit(.sample()).openedTicket?.usedCount == count)
            }
        }
    }

    private static let refusals: [(ViewerFacts, RefusalReason)] = [
        (.sample(key: nil), .missingTicket),
        (.sample(key: ""), .missingTicket),
        (.sample(key: "k2"), .unknownTicket),
        (.sample(key: "K1"), .unknownTicket),
        (.sample(pass: "wrong"), .wrongPass),
        (.sample(pass: nil), .wrongPass),
        (.sample(address: "198.51.100.1"), .addressNotAllowed),
        (.sample(address: "nonsense"), .addressNotAllowed),
        (.sample(app: "demo-vod"), .appNotAllowed),
        (.sample(video: "film"), .videoNotAllowed),
    ]

    @Test("A refusal charges nothing and is logged with its reason", arguments: StoreKind.allCases, refusals)
    func refused(kind: StoreKind, _ refusal: (facts: ViewerFacts, reason: RefusalReason)) async throws {
        try await kind.runWithAccounts { store in
            let ticket = try await store.insertTicket(
                .sample(ip: "192.0.2.0/24", app: "demo-origin", video: "show*"))
            #expect(try await store.admit(.sample(refusal.facts, now: at(3))) == .refused(refusal.reason))
            #expect(try await store.ticket(key: "k1") == ticket)
            let rows = try await store.attempts(accountID: 1, filter: AttemptFilter(), limit: 10, offset: 0)
            let expected = Attempt(
                id: rows.first?.id ?? 0, accountID: 1, date: at(3), facts: refusal.facts, isSuccess: false,
                reason: refusal.reason.rawValue)
            #expect(rows == [expected])
        }
    }

    @Test("Of a refused viewer's long texts 256 bytes are kept each", arguments: StoreKind.allCases)
    func longTexts(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let long = String(repeating: "ä", count: 5_000)
            let facts = ViewerFacts(
                key: long, pass: long, address: long, app: long, instance: long, video: long, pageURL: long,
                referrerURL: long, serverAddress: long)
            #expect(try await store.admit(.sample(facts)) == .refused(.unknownTicket))
            let rows = try await store.attempts(accountID: 1, filter: AttemptFilter(), limit: 10, offset: 0)
            let row = try #require(rows.first)
            let texts = [
                row.key, row.pass, row.address, row.app, row.instance, row.video, row.pageURL, row.referrerURL,
                row.serverAddress,
            ]
            #expect(texts == [String](repeating: String(repeating: "ä", count: 128), count: 9))
        }
    }

    @Test("A revoked and an expired ticket admit nobody", arguments: StoreKind.allCases)
    func dead(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(expires: at(60)))
            #expect(try await store.admit(.sample(now: at(60))) == .refused(.expired))
            _ = try await store.setTicketActive(key: "k1", accountID: 1, false)
            #expect(try await store.admit(.sample(now: at(1))) == .refused(.revoked))
            _ = try await store.setTicketActive(key: "k1", accountID: 1, true)
            #expect(try await store.admit(.sample(now: at(2))).openedTicket != nil)
        }
    }

    @Test("A ticket opens its own account's streams only, whatever apps it names", arguments: StoreKind.allCases)
    func otherAccount(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let ticket = try await store.insertTicket(.sample(accountID: 2, app: "*"))
            #expect(try await store.admit(.sample(accountID: 1)) == .refused(.unknownTicket))
            #expect(try await store.ticket(key: "k1") == ticket)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 1)
            #expect(try await store.countAttempts(accountID: 2, filter: AttemptFilter()) == 0)
            let facts = ViewerFacts.sample(app: "other-origin")
            #expect(try await store.admit(.sample(facts, accountID: 2)).openedTicket?.usedCount == 1)
        }
    }

    @Test("Each auto entry is claimed by the first new address, and by one only", arguments: StoreKind.allCases)
    func auto(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(ip: "auto/24|auto", uses: 0))
            func admit(_ address: String) async throws -> Verdict<AdmittedSession> {
                try await store.admit(.sample(.sample(address: address)))
            }
            #expect(try await admit("192.0.2.7").openedTicket?.claimedNetworks == ["192.0.2.0/24"])
            #expect(try await admit("192.0.2.200").openedTicket?.claimedNetworks == ["192.0.2.0/24"])
            let both = ["192.0.2.0/24", "2001:db8::5/128"]
            #expect(try await admit("2001:db8::5").openedTicket?.claimedNetworks == both)
            #expect(try await admit("198.51.100.1") == .refused(.addressNotAllowed))
            #expect(try await admit("2001:db8::6") == .refused(.addressNotAllowed))
            #expect(try await store.ticket(key: "k1")?.claimedNetworks == both)
        }
    }

    @Test("Fifty addresses at once claim one auto entry once", arguments: StoreKind.allCases)
    func autoRace(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(ip: "auto", uses: 0))
            let outcomes = try await withThrowingTaskGroup(of: Verdict<AdmittedSession>.self) { group in
                for host in 1...50 {
                    group.addTask { try await store.admit(.sample(.sample(address: "192.0.2.\(host)"))) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.compactMap(\.openedTicket).count == 1)
            #expect(outcomes.count { $0 == .refused(.addressNotAllowed) } == 49)
            #expect(try await store.ticket(key: "k1")?.claimedNetworks.count == 1)
        }
    }
}

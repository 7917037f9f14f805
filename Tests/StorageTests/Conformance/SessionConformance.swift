import Foundation
import Storage
import Testing
import Usher

@Suite("Every store: sessions")
struct SessionConformance {
    private func request(
        _ id: String, at seconds: Double, window: TimeInterval? = 60, facts: ViewerFacts = .sample()
    ) -> AdmissionRequest {
        .sample(facts, now: at(seconds), id: id, joinWindow: window)
    }

    @Test("Within the window the running session goes on: same id, no use, no attempt", arguments: StoreKind.allCases)
    func joined(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 1))
            let opened = try #require(try await store.admit(request("one", at: 0)).openedTicket)
            #expect(try await store.sessionToJoin(request("", at: 59)) == "one")
            #expect(
                try await store.admit(request("two", at: 59))
                    == .granted(AdmittedSession(id: "one", ticket: opened, isNew: false)))
            // Joining counts as use: the window begins anew.
            #expect(
                try await store.admit(request("three", at: 118))
                    == .granted(AdmittedSession(id: "one", ticket: opened, isNew: false)))
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 1)
            #expect(try await store.ticket(key: "k1") == opened)
        }
    }

    @Test("After the window it is a new session", arguments: StoreKind.allCases)
    func over(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 1))
            _ = try await store.admit(request("one", at: 0))
            #expect(try await store.sessionToJoin(request("", at: 60)) == nil)
            #expect(try await store.admit(request("two", at: 60)) == .refused(.noUsesRemaining))
        }
    }

    @Test("Looking for a session changes nothing", arguments: StoreKind.allCases)
    func lookOnly(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 1))
            #expect(try await store.sessionToJoin(request("", at: 0)) == nil)
            _ = try await store.admit(request("one", at: 0))
            #expect(try await store.sessionToJoin(request("", at: 50)) == "one")
            #expect(try await store.sessionToJoin(request("", at: 100)) == nil)
        }
    }

    @Test("Touching keeps a session joinable; a late touch does not shorten it", arguments: StoreKind.allCases)
    func touched(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let ticket = try await store.insertTicket(.sample(uses: 1))
            _ = try await store.admit(request("one", at: 0))
            try await store.touchSessions([
                SessionTouch(sessionID: "one", date: at(100)), SessionTouch(sessionID: "one", date: at(20)),
                SessionTouch(sessionID: "nobody", date: at(100)),
            ])
            try await store.touchSessions([])
            let joined = try #require(try await store.admit(request("two", at: 159)).grant)
            #expect(joined.id == "one" && !joined.isNew && joined.ticket.id == ticket.id)
        }
    }

    @Test("An ended session is neither joined nor brought back by a touch", arguments: StoreKind.allCases)
    func ended(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 2))
            _ = try await store.admit(request("one", at: 0))
            try await store.endSession(id: "one")
            try await store.endSession(id: "nobody")
            try await store.touchSessions([SessionTouch(sessionID: "one", date: at(1))])
            #expect(try await store.admit(request("two", at: 2)).openedTicket?.usedCount == 2)
        }
    }

    private static let strangers: [ViewerFacts] = [
        .sample(address: "192.0.2.2"), .sample(app: "demo-vod"), .sample(video: "film"), .sample(key: "k2"),
    ]

    @Test("Another ticket, address, app or video is another session", arguments: StoreKind.allCases, strangers)
    func others(kind: StoreKind, facts: ViewerFacts) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample())
            _ = try await store.insertTicket(.sample(key: "k2"))
            _ = try await store.admit(request("one", at: 0))
            #expect(try await store.admit(request("two", at: 1, facts: facts)).openedTicket != nil)
        }
    }

    @Test("The same address written differently is the same viewer", arguments: StoreKind.allCases)
    func sameAddress(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample())
            _ = try await store.admit(request("one", at: 0))
            let mapped = request("", at: 1, facts: .sample(address: "::ffff:192.0.2.1"))
            #expect(try await store.sessionToJoin(mapped) == "one")
        }
    }

    @Test("Without a window every admission is a session, and nobody joins it", arguments: StoreKind.allCases)
    func connections(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample())
            #expect(try await store.admit(request("one", at: 0, window: nil)).openedTicket?.usedCount == 1)
            #expect(try await store.admit(request("two", at: 0, window: nil)).openedTicket?.usedCount == 2)
            #expect(try await store.admit(request("three", at: 0)).openedTicket?.usedCount == 3)
        }
    }

    @Test("A running session is joined only by whom the ticket still admits", arguments: StoreKind.allCases)
    func stillAdmitted(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(expires: at(30)))
            _ = try await store.admit(request("one", at: 0))
            #expect(try await store.admit(request("x", at: 1, facts: .sample(pass: "no"))) == .refused(.wrongPass))
            #expect(try await store.admit(request("x", at: 30)) == .refused(.expired))
            _ = try await store.setTicketActive(key: "k1", accountID: 1, false)
            #expect(try await store.admit(request("x", at: 2)) == .refused(.revoked))
        }
    }

    @Test("A session id is used once; who is admitted under it again gets another one", arguments: StoreKind.allCases)
    func sameID(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample())
            let first = try #require(try await store.admit(request("one", at: 0, window: nil)).grant)
            let second = try #require(try await store.admit(request("one", at: 0, window: nil)).grant)
            #expect(first.id == "one" && second.id != "one" && second.isNew)
            #expect(try await store.ticket(key: "k1")?.usedCount == 2)
            #expect(try await store.countAttempts(accountID: 1, filter: AttemptFilter()) == 2)
        }
    }
}

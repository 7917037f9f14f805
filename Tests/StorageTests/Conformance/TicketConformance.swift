import Storage
import Testing
import Usher

@Suite("Every store: tickets")
struct TicketConformance {
    @Test("A ticket comes back as it was stored, dates to the microsecond", arguments: StoreKind.allCases)
    func stored(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            var ticket = Ticket.sample(ip: "auto|10.0.0.0/8", app: "demo-*| x ", video: "ü|mp4:*")
            ticket.lastUsed = at(7.654321)
            ticket.usedCount = 2
            ticket.claimedNetworks = ["192.0.2.1/32", "2001:db8::/64"]
            ticket.isActive = false
            let stored = try await store.insertTicket(ticket)
            ticket.id = stored.id
            ticket.revision = 1
            #expect(stored == ticket)
            #expect(try await store.ticket(key: "k1") == ticket)
            #expect(try await store.ticket(key: "K1") == nil)
        }
    }

    @Test("A key with a NUL and more behind it is another key, for tickets and viewers", arguments: StoreKind.allCases)
    func keyWithNUL(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let ticket = try await store.insertTicket(.sample())
            for key in ["k1\0", "k1\0more"] {
                #expect(try await store.ticket(key: key) == nil)
                #expect(try await store.setTicketActive(key: key, accountID: 1, false) == nil)
                #expect(try await store.admit(.sample(.sample(key: key))) == .refused(.unknownTicket))
            }
            #expect(try await store.ticket(key: "k1") == ticket)
        }
    }

    @Test("A key is given once, over all accounts", arguments: StoreKind.allCases)
    func duplicate(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let first = try await store.insertTicket(.sample())
            await #expect(throws: StoreError.duplicate("ticket k1")) {
                try await store.insertTicket(.sample(accountID: 2, pass: "mine"))
            }
            #expect(try await store.ticket(key: "k1") == first)
            #expect(try await store.currentTicketRevision() == 1)
        }
    }

    @Test("Only its own account revokes a ticket; no change is no revision", arguments: StoreKind.allCases)
    func active(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            var ticket = try await store.insertTicket(.sample())
            #expect(try await store.setTicketActive(key: "k1", accountID: 2, false) == nil)
            #expect(try await store.setTicketActive(key: "k2", accountID: 1, false) == nil)
            #expect(try await store.setTicketActive(key: "k1", accountID: 1, true) == ticket)
            ticket.isActive = false
            ticket.revision = 2
            #expect(try await store.setTicketActive(key: "k1", accountID: 1, false) == ticket)
            #expect(try await store.setTicketActive(key: "k1", accountID: 1, false) == ticket)
            #expect(try await store.ticket(key: "k1") == ticket)
            #expect(try await store.currentTicketRevision() == 2)
        }
    }

    @Test("Changes are told oldest first, each ticket once, with its newest state", arguments: StoreKind.allCases)
    func changes(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            #expect(try await store.currentTicketRevision() == 0)
            #expect(try await store.ticketChanges(after: 0, limit: 10) == [])
            for key in ["a", "b", "c"] { _ = try await store.insertTicket(.sample(key: key)) }
            _ = try await store.setTicketActive(key: "a", accountID: 1, false)
            _ = try await store.admit(.sample(.sample(key: "b")))
            #expect(try await store.currentTicketRevision() == 5)
            let changes = try await store.ticketChanges(after: 0, limit: 10)
            #expect(changes.map(\.key) == ["c", "a", "b"])
            #expect(changes.map(\.revision) == [3, 4, 5])
            #expect(changes.map(\.isActive) == [true, false, true])
            #expect(try await store.ticketChanges(after: 0, limit: 2).map(\.key) == ["c", "a"])
            #expect(try await store.ticketChanges(after: 4, limit: 2).map(\.key) == ["b"])
            #expect(try await store.ticketChanges(after: 5, limit: 2) == [])
        }
    }
}

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

    @Test("Tickets made together are made all or not at all", arguments: StoreKind.allCases)
    func together(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            let made = try await store.insertTickets(["a", "b", "c"].map { .sample(key: $0) })
            #expect(made.map(\.key) == ["a", "b", "c"])
            #expect(made.map(\.revision) == [1, 2, 3])
            await #expect(throws: StoreError.duplicate("ticket b")) {
                try await store.insertTickets(["x", "b", "y"].map { .sample(key: $0) })
            }
            #expect(try await store.ticket(key: "x") == nil)
            #expect(try await store.currentTicketRevision() == 3)
            #expect(try await store.insertTickets([]) == [])
        }
    }

    @Test("A change leaves what it does not name, and is told to others", arguments: StoreKind.allCases)
    func update(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(ip: "auto|auto", uses: 5))
            _ = try await store.admit(.sample(now: at(1)))
            var expected = try #require(try await store.ticket(key: "k1"))
            #expect(expected.claimedNetworks == ["192.0.2.1/32"])
            for (change, apply) in [
                (
                    TicketChange(uses: 9, expires: at(900)),
                    {
                        $0.uses = 9; $0.expires = at(900)
                    }
                ),
                (
                    TicketChange(pass: "new", app: "demo-vod", video: "film*"),
                    {
                        $0.pass = "new"; $0.app = "demo-vod"; $0.video = "film*"
                    }
                ),
                (TicketChange(ip: "auto|auto"), { _ in }),
                (TicketChange(maximumSessions: 3), { $0.maximumSessions = 3 }),
                (
                    TicketChange(ip: "auto", isActive: false),
                    {
                        $0.ip = "auto"; $0.isActive = false; $0.claimedNetworks = []
                    }
                ),
            ] as [(TicketChange, (inout Ticket) -> Void)] {
                let before = expected
                apply(&expected)
                if expected != before { expected.revision += 1 }
                #expect(try await store.updateTicket(key: "k1", accountID: 1, change) == .changed(expected))
                #expect(try await store.ticket(key: "k1") == expected)
            }
            #expect(try await store.ticketChanges(after: 0, limit: 10) == [expected])
        }
    }

    @Test(
        "A ticket is not given fewer uses than it has had, nor changed by another account",
        arguments: StoreKind.allCases)
    func refusedUpdate(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            _ = try await store.insertTicket(.sample(uses: 3))
            for _ in 0..<2 { _ = try await store.admit(.sample()) }
            let ticket = try #require(try await store.ticket(key: "k1"))
            #expect(
                try await store.updateTicket(key: "k1", accountID: 1, TicketChange(pass: "new", uses: 1))
                    == .usedMoreOften(2))
            #expect(try await store.updateTicket(key: "k1", accountID: 2, TicketChange(pass: "x")) == .notFound)
            #expect(try await store.updateTicket(key: "k2", accountID: 1, TicketChange(pass: "x")) == .notFound)
            #expect(try await store.ticket(key: "k1") == ticket)
            for uses in [2, 0] {
                guard
                    case .changed(let changed) = try await store.updateTicket(
                        key: "k1", accountID: 1, TicketChange(uses: uses))
                else {
                    Issue.record("not changed to \(uses)")
                    return
                }
                #expect(changed.uses == uses)
            }
        }
    }

    @Test("Tickets are listed by position, oldest first, narrowed by what is asked", arguments: StoreKind.allCases)
    func listed(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            for number in 0..<10 {
                _ = try await store.insertTicket(
                    .sample(
                        key: "k\(number)", pass: number.isMultiple(of: 2) ? "even" : "odd",
                        video: number < 5 ? "show\(number)" : "film", expires: at(number < 8 ? 60 : 600)))
            }
            _ = try await store.insertTicket(.sample(accountID: 2, key: "foreign", pass: "even"))
            _ = try await store.setTicketActive(key: "k3", accountID: 1, false)
            func page(_ filter: TicketFilter, after: Int64 = 0, limit: Int = 100) async throws -> TicketPage {
                try await store.tickets(accountID: 1, filter: filter, after: after, limit: limit)
            }
            func keys(_ filter: TicketFilter) async throws -> String {
                try await page(filter).tickets.map { String($0.key.dropFirst()) }.joined()
            }
            let now = at(60)
            #expect(try await keys(TicketFilter(date: now)) == "0123456789")
            #expect(try await keys(TicketFilter(pass: "even", date: now)) == "02468")
            #expect(try await keys(TicketFilter(pass: "eve", date: now)) == "")
            #expect(try await keys(TicketFilter(video: "show*", date: now)) == "01234")
            #expect(try await keys(TicketFilter(app: "demo-*", video: "film", date: now)) == "56789")
            #expect(try await keys(TicketFilter(app: "other-*", date: now)) == "")
            #expect(try await keys(TicketFilter(isActive: false, date: now)) == "3")
            #expect(try await keys(TicketFilter(isExpired: true, date: now)) == "01234567")
            #expect(try await keys(TicketFilter(pass: "odd", isActive: true, isExpired: false, date: now)) == "9")

            // Page by page, whatever is added meanwhile.
            var seen: [String] = []
            var position: Int64? = 0
            while let place = position {
                let page = try await page(TicketFilter(pass: "even", date: now), after: place, limit: 2)
                seen += page.tickets.map(\.key)
                position = page.next
                if seen.count == 2 { _ = try await store.insertTicket(.sample(key: "late", pass: "even")) }
            }
            #expect(seen == ["k0", "k2", "k4", "k6", "k8", "late"])
        }
    }

    @Test("A question for few among many tickets looks at some, and says where to go on", arguments: StoreKind.allCases)
    func listedInSteps(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            for block in 0..<5 {
                _ = try await store.insertTickets(
                    (0..<5_000).map { .sample(key: "\(block).\($0)", video: $0 == 4_999 ? "rare" : "show") })
            }
            let filter = TicketFilter(video: "rare", date: at(0))
            let first = try await store.tickets(accountID: 1, filter: filter, after: 0, limit: 10)
            #expect(first.tickets.map(\.key) == (0..<4).map { "\($0).4999" })
            let next = try #require(first.next)
            let second = try await store.tickets(accountID: 1, filter: filter, after: next, limit: 10)
            #expect(second == TicketPage(tickets: second.tickets, next: nil))
            #expect(second.tickets.map(\.key) == ["4.4999"])
        }
    }

    @Test(
        "Changes of rules are told oldest first, each ticket once, with its newest state; uses are no such",
        arguments: StoreKind.allCases)
    func changes(kind: StoreKind) async throws {
        try await kind.runWithAccounts { store in
            #expect(try await store.currentTicketRevision() == 0)
            #expect(try await store.ticketChanges(after: 0, limit: 10) == [])
            for key in ["a", "b", "c"] { _ = try await store.insertTicket(.sample(key: key)) }
            _ = try await store.setTicketActive(key: "a", accountID: 1, false)
            _ = try await store.admit(.sample(.sample(key: "b")))
            _ = try await store.setTicketActive(key: "b", accountID: 1, false)
            _ = try await store.admit(.sample(.sample(key: "c")))
            #expect(try await store.currentTicketRevision() == 5)
            let changes = try await store.ticketChanges(after: 0, limit: 10)
            #expect(changes.map(\.key) == ["c", "a", "b"])
            #expect(changes.map(\.revision) == [3, 4, 5])
            #expect(changes.map(\.isActive) == [true, false, false])
            #expect(changes.map(\.usedCount) == [1, 0, 1])
            #expect(try await store.ticketChanges(after: 0, limit: 2).map(\.key) == ["c", "a"])
            #expect(try await store.ticketChanges(after: 4, limit: 2).map(\.key) == ["b"])
            #expect(try await store.ticketChanges(after: 5, limit: 2) == [])
        }
    }
}

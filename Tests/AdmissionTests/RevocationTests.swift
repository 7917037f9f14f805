import Foundation
import Testing
import Usher

@testable import Admission
@testable import Storage

@Suite struct RevocationTests {
    @Test("A revoked ticket ends its sessions at once")
    func aRevokedTicketEndsItsSessionsAtOnce() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let (node, ends) = (scene.node(), Ends())
            let id = try #require(try await scene.enter(node))
            #expect(try await node.admit(connection: scene.facts(), onEnd: ends.note) != .refused(.revoked))
            let revoked = try #require(try await scene.store.setTicketActive(key: "k", accountID: 7, false))
            #expect(ends.all == [])
            node.ticketChanged(revoked)
            #expect(ends.all == [.revoked])
            #expect(!node.permits(scene.segment(), session: id))
            #expect(node.sessionCount == 0)
            #expect(try await node.admit(scene.facts(), session: id) == .refused(.revoked))
            #expect(try await node.offer(scene.facts()) == .refused(.revoked))
        }
    }

    @Test("Other nodes hear of a revocation")
    func otherNodesHearOfIt() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            try await scene.ticket(key: "k2")
            let (node, ends, others) = (scene.node(), Ends(), Ends())
            let id = try #require(try await scene.enter(node))
            _ = try await node.admit(connection: scene.facts(), onEnd: ends.note)
            _ = try await node.admit(connection: scene.facts(key: "k2"), onEnd: others.note)
            await node.poll()
            #expect(node.permits(scene.segment(), session: id))
            _ = try await scene.store.setTicketActive(key: "k", accountID: 7, false)
            await node.poll()
            #expect(ends.all == [.revoked])
            #expect(others.all == [])
            #expect(!node.permits(scene.segment(), session: id))
            #expect(node.sessionCount == 1)
        }
    }

    @Test("An account that is deleted takes its sessions with it, connections and playlists, and no other's")
    func deletedAccounts() async throws {
        try await Scene.run { scene in
            try await scene.store.insertAccount(Account(id: 8, user: "other", created: scene.clock.now))
            try await scene.ticket()
            _ = try await scene.store.insertTicket(
                Ticket(
                    accountID: 8, key: "theirs", pass: "p", ip: "0.0.0.0/0", app: "other-*", video: "s", uses: 10,
                    created: scene.clock.now, expires: scene.clock.now.addingTimeInterval(3_600)))
            let (node, ends, others) = (scene.node(), Ends(), Ends())
            let id = try #require(try await scene.enter(node))
            _ = try await node.admit(connection: scene.facts(), onEnd: ends.note)
            _ = try await node.admit(connection: scene.facts(key: "theirs", app: "other-origin"), onEnd: others.note)
            #expect(node.sessionCount == 3)
            try await scene.store.deleteAccount(id: 7, at: scene.clock.now)
            node.end(accounts: [7, 9])
            #expect(ends.all == [.revoked] && others.all == [])
            #expect(!node.permits(scene.segment(), session: id))
            #expect(node.sessionCount == 1)
            // Nobody owns the app now, whatever tickets are left.
            scene.clock.advance(11)
            #expect(try await node.offer(scene.facts()) == .refused(.unknownTicket))
        }
    }

    @Test("A ticket that runs out ends its sessions")
    func expiryEndsSessions() async throws {
        try await Scene.run { scene in
            try await scene.ticket(lifetime: 20)
            let (node, ends) = (scene.node(), Ends())
            let id = try #require(try await scene.enter(node))
            guard case .granted(let connection) = try await node.admit(connection: scene.facts(), onEnd: ends.note)
            else {
                Issue.record("refused")
                return
            }
            scene.clock.advance(19.9)
            await node.poll()
            #expect(ends.all == [])
            #expect(node.permits(scene.segment(), session: id) && node.isRunning(connection))
            scene.clock.advance(0.1)
            #expect(!node.permits(scene.segment(), session: id))
            #expect(!node.isRunning(connection))
            await node.poll()
            #expect(ends.all == [.expired])
            #expect(node.sessionCount == 0)
            #expect(try await node.admit(scene.facts(), session: id) == .refused(.expired))
        }
    }

    @Test("A ticket that is active again admits again")
    func aTicketThatIsBackAdmitsAgain() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            for isActive in [false, true] {
                _ = try await scene.store.setTicketActive(key: "k", accountID: 7, isActive)
                await node.poll()
            }
            #expect(try await node.admit(scene.facts(), session: id) == .granted(id))
            #expect(try await scene.usedCount == 1)
        }
    }

    @Test("An older report does not undo a newer one")
    func anOlderReportDoesNotUndoANewerOne() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            let off = try #require(try await scene.store.setTicketActive(key: "k", accountID: 7, false))
            _ = try await scene.store.setTicketActive(key: "k", accountID: 7, true)
            let id = try #require(try await scene.enter(node))
            node.ticketChanged(off)
            #expect(node.permits(scene.segment(), session: id))
        }
    }

    @Test("A connection's place is free when it is closed, whatever ended its session", arguments: Cut.allCases)
    fileprivate func places(cut: Cut) async throws {
        try await Scene.run { scene in
            try await scene.ticket(sessions: 1, lifetime: 20)
            let (node, ends) = (scene.node(), Ends())
            let id = try #require(try await node.admit(connection: scene.facts(), onEnd: ends.note).grant)
            #expect(try await scene.openInStore() == 1)
            switch cut {
            case .nothing: break
            case .revocation: _ = try await scene.store.setTicketActive(key: "k", accountID: 7, false)
            case .change, .changeHere:
                let update = try await scene.store.updateTicket(
                    key: "k", accountID: 7, TicketChange(video: "another"))
                if cut == .changeHere, case .changed(let ticket) = update { node.ticketChanged(ticket) }
            case .expiry: scene.clock.advance(21)
            case .kick:
                let name = try #require(node.reports { _ in true }.first?.name)
                #expect(try await node.end(sessionNamed: name) { _ in true })
            }
            await node.poll()
            #expect(ends.all.count == (cut == .nothing ? 0 : 1))
            await node.close(id)
            #expect(try await scene.openInStore() == 0)
            #expect(node.sessionCount == 0)
        }
    }

    enum Cut: CaseIterable {
        case nothing, revocation, change, changeHere, expiry, kick
    }

    @Test("Every connection costs a use")
    func everyConnectionCostsAUse() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 2)
            let (node, ends) = (scene.node(), Ends())
            guard case .granted(let one) = try await node.admit(connection: scene.facts(), onEnd: ends.note),
                case .granted(let two) = try await node.admit(connection: scene.facts(), onEnd: ends.note)
            else {
                Issue.record("refused")
                return
            }
            #expect(one != two)
            #expect(node.viewerCount(app: "demo-origin", stream: "s") == 2)
            #expect(try await node.admit(connection: scene.facts(), onEnd: ends.note) == .refused(.noUsesRemaining))
            await node.close(one)
            await node.close(one)
            #expect(node.viewerCount(app: "demo-origin", stream: "s") == 1)
            // A connection is not over because it asks for nothing.
            scene.clock.advance(600)
            await node.poll()
            #expect(node.isRunning(two) && !node.isRunning(one))
            _ = try await scene.store.setTicketActive(key: "k", accountID: 7, false)
            await node.poll()
            #expect(ends.all == [.revoked])
        }
    }

    /// A viewer whom the store has admitted, and whose ticket was revoked before his session begins on the node, which has heard of
    /// it and is not told again.
    private func revokedMeanwhile(_ scene: Scene, _ node: Admissions) async throws -> (
        request: AdmissionRequest, polled: Int64, outcome: Verdict<AdmittedSession>
    ) {
        try await scene.ticket()
        let request = AdmissionRequest(
            facts: scene.facts(), accountID: 7, now: scene.clock.now, sessionID: "id", joinWindow: nil)
        let polled = try await node.baseline()
        let outcome = try await scene.store.admit(request)
        _ = try await scene.store.setTicketActive(key: "k", accountID: 7, false)
        await node.poll()
        return (request, polled, outcome)
    }

    @Test("A revocation that comes while a viewer is being admitted counts")
    func aRevocationHeardOfMeanwhileCounts() async throws {
        try await Scene.run { scene in
            let (node, ends) = (scene.node(), Ends())
            let (request, polled, outcome) = try await revokedMeanwhile(scene, node)
            let taken = try await node.begin(
                outcome, of: request, now: scene.clock.both, polled: polled, onEnd: ends.note)
            #expect(taken == .refused(.revoked))
            #expect(node.sessionCount == 0)
            #expect(try await scene.openInStore() == 0)
            await node.poll()
            // Who was refused has nothing to be told of.
            #expect(ends.all == [])
        }
    }

    @Test("A viewer whose use is charged plays on while the store cannot be asked, and is ended as soon as it says so")
    func whoHasPaidPlays() async throws {
        try await Scene.run { scene in
            let (node, ends) = (scene.node(), Ends())
            let (request, polled, outcome) = try await revokedMeanwhile(scene, node)
            _ = try await scene.store.write { try $0.run("ALTER TABLE tickets RENAME TO hidden") }
            let taken = try await node.begin(
                outcome, of: request, now: scene.clock.both, polled: polled, onEnd: ends.note)
            #expect(taken == .granted("id") && node.isRunning("id"))
            await node.poll()
            #expect(node.isRunning("id") && ends.all == [])
            _ = try await scene.store.write { try $0.run("ALTER TABLE hidden RENAME TO tickets") }
            await node.poll()
            #expect(!node.isRunning("id") && ends.all == [.revoked])
        }
    }

    /// Whatever the order in which admission, revocation and polling meet: who was let in is told, and nobody stays.
    @Test("No session slips through a revocation", arguments: 0..<5)
    func noSessionSlipsThroughARevocation(round: Int) async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 0)
            let (node, ends) = (scene.node(), Ends())
            let admitted = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        if number == 20 + round * 10 {
                            _ = try await scene.store.setTicketActive(key: "k", accountID: 7, false)
                        }
                        if number.isMultiple(of: 3) { await node.poll() }
                        let entry = try await node.admit(connection: scene.facts(), onEnd: ends.note)
                        if case .granted = entry { return 1 } else { return 0 }
                    }
                }
                return try await group.reduce(0, +)
            }
            await node.poll()
            #expect(node.sessionCount == 0)
            // One that was ended while it was being let in may have been told as well as refused.
            #expect(ends.all.count >= admitted)
            #expect(ends.all.allSatisfy { $0 == .revoked })
        }
    }

    @Test("The service hears of changes in the store until it is stopped")
    func theServiceFollowsTheStoreAndStops() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node { $0.pollInterval = .milliseconds(1) }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await node.run() }
                await withCheckedContinuation { (ended: CheckedContinuation<Void, Never>) in
                    Task {
                        _ = try await node.admit(connection: scene.facts()) { _ in ended.resume() }
                        _ = try await scene.store.setTicketActive(key: "k", accountID: 7, false)
                    }
                }
                group.cancelAll()
            }
            #expect(node.sessionCount == 0)
        }
    }
}

extension Scene {
    /// Sessions of the ticket that have not ended as far as the store knows.
    func openInStore() async throws -> Int {
        guard let ticket = try await store.ticket(key: "k") else { return 0 }
        return try await store.runningSessions(ofTicket: ticket.id, heardAfter: .distantPast)
    }
}

import Foundation
import Storage
import Testing
import Usher

@testable import Admission

@Suite struct HLSAdmissionTests {
    @Test("The media playlist charges and the rest does not")
    func theMediaPlaylistChargesAndTheRestDoesNot() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            let id = try #require(try await node.offer(scene.facts()).grant)
            #expect(SessionID.isWellFormed(id))
            #expect(try await scene.usedCount == 0)
            #expect(!node.permits(scene.segment(), session: id))
            #expect(try await scene.attempts() == 0)
            for _ in 0..<5 {
                #expect(try await node.admit(scene.facts(), session: id) == .granted(id))
                #expect(node.permits(scene.segment(), session: id))
                scene.clock.advance(50)
            }
            #expect(try await scene.usedCount == 1)
            #expect(try await scene.attempts(true) == 1)
            #expect(try await scene.attempts(false) == 0)
        }
    }

    @Test("A reload from the same address goes on with the session")
    func aReloadFromTheSameAddressGoesOnWithTheSession() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let node = scene.node()
            let id = try await scene.enter(node)
            #expect(try await node.offer(scene.facts()) == .granted(id ?? ""))
            #expect(try await scene.enter(node) == id)
            #expect(try await node.offer(scene.facts(pass: "wrong")) == .refused(.wrongPass))
            #expect(try await scene.usedCount == 1)
            // Another address is another session, and there is no use left for it.
            #expect(try await scene.enter(node, scene.facts(address: "198.51.100.1")) == nil)
            #expect(try await scene.reasons() == ["No Uses Remaining", "Invalid Password"])
        }
    }

    @Test("An unknown id is never adopted")
    func anUnknownIDIsNeverAdopted() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            let chosen = String(repeating: "A", count: SessionID.length)
            guard case .granted(let id) = try await node.admit(scene.facts(), session: chosen) else {
                Issue.record("not reopened")
                return
            }
            #expect(id != chosen)
            #expect(!node.permits(scene.segment(), session: chosen))
            #expect(node.permits(scene.segment(), session: id))
            #expect(try await node.admit(scene.facts(), session: nil) == .granted(id))
            #expect(try await scene.usedCount == 1)
            #expect(
                try await node.admit(scene.facts(key: nil, pass: nil), session: chosen)
                    == .refused(.missingTicket))
        }
    }

    @Test("An id of a master playlist is bound to its viewer")
    func anIDOfAMasterPlaylistIsBoundToItsViewer() async throws {
        try await Scene.run { scene in
            try await scene.ticket(video: "*")
            try await scene.ticket(key: "k2", video: "*")
            let node = scene.node()
            let id = try #require(try await node.offer(scene.facts()).grant)
            for facts in [
                scene.facts(key: "k2"), scene.facts(address: "203.0.113.10"), scene.facts(video: "t"),
                scene.facts(app: "demo-vod"),
            ] {
                let decision = try await node.admit(facts, session: id)
                #expect(decision.grant != nil && decision.grant != id)
            }
            #expect(try await node.admit(scene.facts(), session: id) == .granted(id))
        }
    }

    @Test("An id of a master playlist times out")
    func anIDOfAMasterPlaylistTimesOut() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node { $0.offerTime = 30 }
            let id = try #require(try await node.offer(scene.facts()).grant)
            scene.clock.advance(30)
            let decision = try await node.admit(scene.facts(), session: id)
            #expect(decision.grant != nil && decision.grant != id)
        }
    }

    @Test("An id of a master playlist is good on every node that has the server's secret, and after a restart")
    func anIDOfAMasterPlaylistIsKnownElsewhere() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let secret = try #require(ServerSecret(bytes: Array(repeating: 1, count: 32)))
            func node(_ secret: ServerSecret?) -> Admissions {
                Admissions(
                    store: scene.store, configuration: AdmissionConfiguration(defaultProtection: .sevu), secret: secret,
                    now: { scene.clock.both })
            }
            let id = try #require(try await node(secret).offer(scene.facts()).grant)
            let other = node(secret)
            #expect(try await other.admit(scene.facts(), session: id) == .granted(id))
            #expect(other.permits(scene.segment(), session: id))
            #expect(try await scene.usedCount == 1)
            // One that has another secret takes it for any other id.
            let second = try #require(try await node(nil).offer(scene.facts(address: "198.51.100.1")).grant)
            let decision = try await other.admit(scene.facts(address: "198.51.100.1"), session: second)
            #expect(decision.grant != nil && decision.grant != second)
        }
    }

    @Test("Under an id of a master playlist whose session has ended no other one begins")
    func anEndedSessionIsNotOpenedAgain() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            let id = try #require(try await node.offer(scene.facts()).grant)
            #expect(try await node.admit(scene.facts(), session: id) == .granted(id))
            let name = try #require(node.reports { _ in true }.first?.name)
            #expect(try await node.end(sessionNamed: name) { _ in true })
            let decision = try await node.admit(scene.facts(), session: id)
            #expect(decision.grant != nil && decision.grant != id)
            #expect(!node.permits(scene.segment(), session: id))
            #expect(try await scene.usedCount == 2)
        }
    }

    @Test(
        "A viewer who has moved inside his network goes on under his id after a restart, and from elsewhere pays again")
    func aViewerWhoMovedGoesOnAfterARestart() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let before = scene.node()
            let id = try #require(try await before.offer(scene.facts()).grant)
            #expect(try await before.admit(scene.facts(), session: id) == .granted(id))
            let after = scene.node()
            // Whoever does not know the id is another viewer.
            let neighbour = try #require(
                try await after.admit(scene.facts(address: "203.0.113.77"), session: nil).grant)
            #expect(neighbour != id)
            #expect(try await scene.usedCount == 2)
            #expect(try await after.admit(scene.facts(address: "203.0.113.200"), session: id) == .granted(id))
            #expect(try await scene.usedCount == 2)
            let elsewhere = try #require(try await after.admit(scene.facts(address: "203.0.114.1"), session: id).grant)
            #expect(elsewhere != id)
            #expect(try await scene.usedCount == 3)
        }
    }

    @Test("Renditions share the session")
    func renditionsShareTheSession() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            let id = try #require(try await node.offer(scene.facts()).grant)
            for video in ["s_360p", "s_720p", "s", "mp4:s"] {
                #expect(
                    try await node.admit(scene.facts(video: video), session: id) == .granted(id))
                #expect(node.permits(scene.segment(video: video), session: id))
            }
            #expect(!node.permits(scene.segment(video: "t"), session: id))
            #expect(try await scene.usedCount == 1)
            #expect(node.viewerCount(app: "demo-origin", stream: "s") == 1)
        }
    }

    @Test("A session moves within its network only")
    func aSessionMovesWithinItsNetworkOnly() async throws {
        try await Scene.run { scene in
            try await scene.ticket(ip: "auto/24")
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            #expect(node.permits(scene.segment(address: "203.0.113.200"), session: id))
            #expect(node.permits(scene.segment(address: "::ffff:203.0.113.1"), session: id))
            #expect(!node.permits(scene.segment(address: "203.0.114.9"), session: id))
            #expect(!node.permits(scene.segment(address: "garbage"), session: id))
            #expect(
                try await node.admit(scene.facts(address: "203.0.113.200"), session: id)
                    == .granted(id))
            #expect(
                try await node.admit(scene.facts(address: "203.0.114.9"), session: id)
                    == .refused(.addressNotAllowed))
            #expect(try await scene.usedCount == 1)
        }
    }

    @Test("A ticket for everybody is still one session for each address")
    func aTicketForEverybodyIsStillOneSessionPerAddress() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            #expect(!node.permits(scene.segment(address: "198.51.100.1"), session: id))
            #expect(
                try await node.admit(scene.facts(address: "198.51.100.1"), session: id)
                    == .refused(.noUsesRemaining))
        }
    }

    @Test("An idle session is over")
    func anIdleSessionIsOver() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            scene.clock.advance(59)
            #expect(node.permits(scene.segment(), session: id))
            await node.poll()
            #expect(node.viewerCount(app: "demo-origin", stream: "s") == 1)
            scene.clock.advance(60)
            #expect(!node.permits(scene.segment(), session: id))
            await node.poll()
            #expect(node.viewerCount(app: "demo-origin", stream: "s") == 0)
            let other = try #require(try await node.admit(scene.facts(), session: id).grant)
            #expect(other != id)
            #expect(try await scene.usedCount == 2)
        }
    }

    /// The store hears of use in intervals, but the sixty seconds count from the last request.
    @Test("A session's use counts before the store has heard of it")
    func useThatIsNotWrittenYetCounts() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            scene.clock.advance(55)
            #expect(node.permits(scene.segment(), session: id))
            scene.clock.advance(55)
            #expect(try await node.admit(scene.facts(), session: nil) == .granted(id))
            #expect(try await scene.usedCount == 1)
        }
    }

    @Test("A restart goes on with running sessions")
    func aRestartGoesOnWithRunningSessions() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let before = scene.node()
            let id = try #require(try await scene.enter(before))
            scene.clock.advance(50)
            #expect(before.permits(scene.segment(), session: id))
            await before.writeUses()
            let after = scene.node()
            scene.clock.advance(50)
            #expect(!after.permits(scene.segment(), session: id))
            #expect(try await after.offer(scene.facts()) == .granted(id))
            #expect(try await after.admit(scene.facts(), session: id) == .granted(id))
            #expect(after.permits(scene.segment(), session: id))
            #expect(try await scene.usedCount == 1)
        }
    }

    @Test("Another node joins the running session of the viewer")
    func anotherNodeJoinsTheSession() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let (one, two) = (scene.node(), scene.node())
            let id = try #require(try await scene.enter(one))
            let other = try #require(try await two.offer(scene.facts()).grant)
            #expect(other == id)
            #expect(try await two.admit(scene.facts(), session: other) == .granted(id))
            #expect(try await scene.usedCount == 1)
            #expect(try await scene.attempts() == 1)
        }
    }

    @Test("Refusals of master playlists are logged and folded")
    func refusalsOfMasterPlaylistsAreLoggedAndFolded() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            for _ in 0..<3 {
                #expect(try await node.offer(scene.facts(key: nil)) == .refused(.missingTicket))
            }
            #expect(try await node.offer(scene.facts(key: "none")) == .refused(.unknownTicket))
            #expect(try await node.offer(scene.facts(app: "stranger-origin")) == .refused(.unknownTicket))
            #expect(try await scene.reasons() == ["Invalid Auth Token", "Missing Ticket"])
            #expect(try await scene.attempts() == 4)
        }
    }

    @Test("Who is one too many is told so by the master playlist, and who plays is given his own again, on any node")
    func tooManyAtATime() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 5, sessions: 1)
            let (node, other) = (scene.node(), scene.node())
            let id = try #require(try await scene.enter(node))
            let late = scene.facts(address: "198.51.100.1")
            for node in [node, other] {
                #expect(try await node.offer(late) == .refused(.noUsesRemaining))
                // On the other node the media playlist leads back to it.
                let own = try #require(try await node.offer(scene.facts()).grant)
                #expect(try await node.admit(scene.facts(), session: own) == .granted(id))
            }
            // Idle for the time-out, but the store may not have heard of the last use.
            scene.clock.advance(70)
            #expect(try await other.offer(late) == .refused(.noUsesRemaining))
            #expect(try await node.offer(scene.facts()).grant != nil)
            scene.clock.advance(15)
            #expect(try await other.offer(late).grant != nil)
            #expect(try await scene.usedCount == 1)
            #expect(try await scene.reasons() == ["No Uses Remaining", "No Uses Remaining"])
            #expect(try await scene.attempts(false) == 3)
        }
    }

    @Test("A full node charges nobody")
    func aFullNodeChargesNobody() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node { $0.maximumSessions = 1 }
            #expect(try await scene.enter(node) != nil)
            await #expect(throws: AdmissionError.tooManySessions) {
                try await scene.enter(node, scene.facts(address: "198.51.100.1"))
            }
            #expect(try await scene.usedCount == 1)
        }
    }

    @Test("A hundred viewers share ten uses")
    func aHundredViewersShareTenUses() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 10)
            let nodes = [scene.node(), scene.node()]
            let admitted = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        let facts = scene.facts(address: "203.0.113.\(number)")
                        return try await scene.enter(nodes[number % 2], facts) != nil
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(admitted == 10)
            #expect(try await scene.usedCount == 10)
            #expect(try await scene.attempts(true) == 10)
            #expect(try await scene.attempts(false) == 90)
            #expect(nodes.map(\.sessionCount).reduce(0, +) == 10)
        }
    }

    @Test("A hundred requests of one viewer at once are one use")
    func aHundredRequestsOfOneViewerAreOneUse() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let node = scene.node()
            let id = try #require(try await node.offer(scene.facts()).grant)
            let ids = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<100 {
                    group.addTask { try await node.admit(scene.facts(), session: id).grant }
                }
                return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
            #expect(ids == [id])
            #expect(try await scene.usedCount == 1)
            #expect(node.sessionCount == 1)
        }
    }
}

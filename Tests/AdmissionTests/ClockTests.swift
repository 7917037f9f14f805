import Foundation
import Testing
import Usher

@testable import Admission

/// What time and its going wrong do to sessions, and what the store is told of them.
@Suite struct ClockTests {
    @Test("A wall clock that is set forward or back beyond the time-out ends no session", arguments: [7_200.0, -7_200])
    func aClockStepEndsNothing(step: TimeInterval) async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1, lifetime: 86_400)
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            scene.clock.setWallClock(by: step)
            #expect(node.permits(scene.segment(), session: id))
            await node.poll()
            #expect(node.sessionCount == 1)
            #expect(try await node.admit(scene.facts(), session: id) == .granted(id))
            // Also without the id: it is this node that knows whether the session runs.
            #expect(try await node.admit(scene.facts(), session: nil) == .granted(id))
            #expect(try await node.offer(scene.facts()) == .granted(id))
            #expect(try await scene.usedCount == 1)
            scene.clock.advance(60)
            #expect(!node.permits(scene.segment(), session: id))
            await node.poll()
            #expect(node.sessionCount == 0)
        }
    }

    @Test("A ticket's expiry is a date: a wall clock that is set past it ends the sessions")
    func expiryIsADate() async throws {
        try await Scene.run { scene in
            try await scene.ticket(lifetime: 3_600)
            let (node, ends) = (scene.node(), Ends())
            let id = try #require(try await scene.enter(node))
            _ = try await node.admit(connection: scene.facts(), onEnd: ends.note)
            scene.clock.setWallClock(by: 3_601)
            #expect(!node.permits(scene.segment(), session: id))
            await node.poll()
            #expect(ends.all == [.expired])
        }
    }

    @Test("A restart after a clock step goes on with the sessions that were written back after it")
    func aRestartAfterAClockStep() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1, lifetime: 86_400)
            let before = scene.node()
            let id = try #require(try await scene.enter(before))
            scene.clock.setWallClock(by: 7_200)
            scene.clock.advance(10)
            #expect(before.permits(scene.segment(), session: id))
            scene.clock.advance(30)
            await before.writeUses()
            // The row says when it was by today's wall clock: 30 seconds ago.
            let after = scene.node()
            scene.clock.advance(29)
            #expect(try await after.admit(scene.facts(), session: id) == .granted(id))
            #expect(try await scene.usedCount == 1)
        }
    }

    @Test("Listening for revocations writes nothing, whatever sessions were used")
    func pollingWritesNothing() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            let before = scene.store.writeCounts.writes
            for _ in 0..<10 {
                scene.clock.advance(30)
                #expect(node.permits(scene.segment(), session: id))
                await node.poll()
            }
            #expect(scene.store.writeCounts.writes == before)
            await node.writeTouches()
            #expect(scene.store.writeCounts.writes == before + 1)
        }
    }

    @Test("The row of a session in use is written at most once in a third of the time-out")
    func rowsAreTouchedRarely() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            let before = scene.store.writeCounts.writes
            for _ in 0..<120 {
                scene.clock.advance(1)
                #expect(node.permits(scene.segment(), session: id))
                await node.poll()
                await node.writeTouches()
            }
            #expect(scene.store.writeCounts.writes == before + 6)
        }
    }

    @Test("A viewer whose session runs here costs no write, under whatever id")
    func aRunningSessionIsJoinedWithoutAWrite() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let node = scene.node()
            let id = try #require(try await scene.enter(node))
            let before = scene.store.writeCounts.writes
            for _ in 0..<20 {
                #expect(try await node.admit(scene.facts(), session: SessionID.make()) == .granted(id))
                #expect(try await node.offer(scene.facts()) == .granted(id))
            }
            #expect(scene.store.writeCounts.writes == before)
            // A guess at the password is still refused and logged.
            #expect(try await node.admit(scene.facts(pass: "wrong"), session: nil) == .refused(.wrongPass))
            #expect(try await scene.attempts(false) == 1)
        }
    }
}

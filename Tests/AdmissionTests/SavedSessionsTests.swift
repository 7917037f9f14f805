import Foundation
import Storage
import Testing
import Usher

@testable import Admission

/// Sessions that one process has opened and another goes on with.
@Suite struct SavedSessionsTests {
    /// What the next process reads.
    private func saved(by node: Admissions) throws -> SavedSessions {
        try JSONDecoder().decode(SavedSessions.self, from: JSONEncoder().encode(node.save()))
    }

    @Test("A viewer may go on with a segment, and is not charged once more for his playlists")
    func goesOn() async throws {
        try await Scene.run { scene in
            try await scene.ticket(uses: 1)
            let before = scene.node()
            let id = try #require(try await scene.enter(before))
            let started = scene.clock.now
            scene.clock.advance(20)
            let left = try saved(by: before)
            scene.clock.advance(10)
            let node = scene.node()
            #expect(!node.permits(scene.segment(), session: id))
            #expect(node.restore(left) == 1)
            #expect(node.permits(scene.segment(), session: id))
            #expect(!node.permits(scene.segment(address: "192.0.2.77"), session: id))
            #expect(try await node.admit(scene.facts(), session: id) == .granted(id))
            #expect(try await scene.usedCount == 1)
            #expect(try await scene.attempts(true) == 1)
            #expect(node.reports { _ in true }.map(\.started) == [started])
            // It ends as ever, when it is not used.
            scene.clock.advance(61)
            #expect(!node.permits(scene.segment(), session: id))
        }
    }

    @Test("A ticket that was revoked in between ends its sessions with the first poll")
    func revokedInBetween() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let before = scene.node()
            let id = try #require(try await scene.enter(before))
            let left = try saved(by: before)
            _ = try await scene.store.setTicketActive(key: "k", accountID: 7, false)
            let node = scene.node()
            #expect(node.restore(left) == 1)
            #expect(node.permits(scene.segment(), session: id))
            await node.poll()
            #expect(!node.permits(scene.segment(), session: id))
        }
    }

    @Test("What has run out in between is not gone on with, nor are connections")
    func runOut() async throws {
        try await Scene.run { scene in
            try await scene.ticket()
            let before = scene.node()
            _ = try #require(try await scene.enter(before))
            let played = try await before.admit(connection: scene.facts(address: "198.51.100.9")) { _ in }
            #expect(played.grant != nil)
            #expect(before.save().sessions.count == 1)
            let left = try saved(by: before)
            let ticket = try #require(try await scene.store.ticket(key: "k"))
            scene.clock.advance(ticket.expires.timeIntervalSince(scene.clock.now) + 1)
            #expect(scene.node().restore(left) == 0)
        }
    }
}

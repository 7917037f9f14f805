import Foundation
import Storage
import Testing
import Usher

@testable import Admission

@Suite struct TokenAdmissionTests {
    private static let first = "aabbccddeeff00112233445566778899"
    private static let second = "00112233445566778899aabbccddeeff"

    /// A store whose stream `s` asks for tokens that are signed with `secrets`.
    private struct TokenScene: Sendable {
        let scene: Scene
        let key: ServerSecret

        static func run(_ body: @Sendable (TokenScene) async throws -> Void) async throws {
            let key = try #require(ServerSecret(bytes: Array(0..<32)))
            try await Scene.run { scene in
                let all = TokenScene(scene: scene, key: key)
                try await all.set("s", [first])
                try await body(all)
            }
        }

        func set(_ stream: String, _ secrets: [String]?, protection: Protection? = .hmac) async throws {
            var row = StreamSettings(
                accountID: 7, app: "demo-origin", stream: stream, protection: protection, created: scene.clock.now)
            try row.setTokenSecrets(secrets, with: key)
            _ = try await scene.store.upsertStream(row)
        }

        func node(_ key: ServerSecret? = nil) -> Admissions {
            let clock = scene.clock
            return Admissions(store: scene.store, secret: key ?? self.key, now: { clock.both })
        }

        func facts(
            _ secret: String = first, lifetime: Int64 = 300, address: String = "203.0.113.9", video: String = "s",
            data: String = "ann"
        ) throws -> ViewerFacts {
            let secret = try #require(HDNEASecret(hexadecimal: secret))
            let end = Int64(scene.clock.now.timeIntervalSince1970) + lifetime
            let token = HDNEAToken(expires: end, payload: data).text(secret: secret)
            return ViewerFacts(
                key: nil, pass: nil, token: token, path: "/demo-origin/play/\(video)/playlist.m3u8", address: address,
                app: "demo-origin", instance: "play", video: video)
        }
    }

    @Test("A token opens one session, which its segments and reloads go on with, and one row is logged")
    func oneSession() async throws {
        try await TokenScene.run { (tokens: TokenScene) async throws in
            let (scene, node) = (tokens.scene, tokens.node())
            let facts = try tokens.facts()
            let id = try #require(try await node.offer(facts).grant)
            #expect(try await scene.attempts() == 0)
            #expect(!node.permits(scene.segment(), session: id))
            for _ in 0..<3 {
                #expect(try await node.admit(facts, session: id) == .granted(id))
                #expect(node.permits(scene.segment(), session: id))
                scene.clock.advance(50)
            }
            // A reload of the page; and a session that nobody knows.
            #expect(try await node.offer(facts) == .granted(id))
            #expect(try await node.admit(facts, session: SessionID.make()) == .granted(id))
            #expect(try await node.admit(facts, session: nil) == .granted(id))
            let rows = try await scene.store.attempts(accountID: 7, filter: AttemptFilter(), limit: 9, offset: 0)
            #expect(rows.map(\.isSuccess) == [true])
            #expect(rows.first?.pass == "ann" && rows.first?.key.hasPrefix("hmac:") == true)
            #expect(node.sessionCount == 1 && node.viewerCount(app: "demo-origin", stream: "s") == 1)
            // From elsewhere it is another session, of the same token.
            let other = try await scene.enter(node, try tokens.facts(address: "198.51.100.1"))
            #expect(other != nil && other != id)
            #expect(try await scene.attempts(true) == 2)
            // Nothing of it is for the store to remember.
            let before = scene.store.writeCounts.writes
            scene.clock.advance(30)
            #expect(node.permits(scene.segment(), session: id))
            await node.poll()
            await node.writeUses()
            #expect(scene.store.writeCounts.writes == before)
        }
    }

    @Test("Two requests at once open one session each at most, and as many rows as sessions")
    func racing() async throws {
        try await TokenScene.run { (tokens: TokenScene) async throws in
            let node = tokens.node()
            let facts = try tokens.facts()
            let id = try #require(try await node.offer(facts).grant)
            let granted = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<20 { group.addTask { try await node.admit(facts, session: id).grant } }
                return try await group.reduce(into: Set<String>()) { if let id = $1 { $0.insert(id) } }
            }
            #expect(granted.contains(id))
            #expect(try await tokens.scene.attempts(true) == node.sessionCount)
        }
    }

    @Test("Sessions end with their token, connections through what they gave")
    func tokensEnd() async throws {
        try await TokenScene.run { (tokens: TokenScene) async throws in
            let (scene, node, ends) = (tokens.scene, tokens.node(), Ends())
            let facts = try tokens.facts(lifetime: 50)
            let id = try #require(try await scene.enter(node, facts))
            let playing = try #require(try await node.admit(connection: facts, onEnd: ends.note).grant)
            scene.clock.advance(49)
            await node.poll()
            #expect(node.permits(scene.segment(), session: id) && node.isRunning(playing))
            scene.clock.advance(1)
            #expect(!node.permits(scene.segment(), session: id))
            await node.poll()
            #expect(ends.all == [.expired])
            #expect(try await node.admit(facts, session: id) == .refused(.invalidToken))
            #expect(try await node.admit(connection: facts, onEnd: ends.note) == .refused(.invalidToken))
            #expect(try await scene.reasons() == ["Invalid HMAC Token"])
            #expect(node.sessionCount == 0)
        }
    }

    @Test("A secret that is taken away takes its sessions along, on every node, and those of the one beside it stay")
    func rotation() async throws {
        try await TokenScene.run { (tokens: TokenScene) async throws in
            let (scene, node, other) = (tokens.scene, tokens.node(), tokens.node())
            try await tokens.set("s", [Self.second, Self.first])
            let old = try #require(try await scene.enter(node, try tokens.facts()))
            let new = try #require(try await scene.enter(node, try tokens.facts(Self.second)))
            let (ends, stays) = (Ends(), Ends())
            _ = try await other.admit(connection: try tokens.facts(), onEnd: ends.note)
            _ = try await other.admit(connection: try tokens.facts(Self.second), onEnd: stays.note)
            // Long enough for both to take the settings for settled.
            for node in [node, other] { try await node.reviewRules() }
            scene.clock.advance(20)
            for node in [node, other] { try await node.reviewRules() }
            try await tokens.set("s", [Self.second])
            await node.streamSettingsChanged()
            #expect(!node.permits(scene.segment(), session: old))
            #expect(node.permits(scene.segment(), session: new))
            #expect(try await node.admit(try tokens.facts(), session: old) == .refused(.invalidToken))
            // Another node hears of it in its next round.
            #expect(ends.all == [])
            try await other.reviewRules()
            #expect(ends.all == [.revoked])
            #expect(stays.all == [])
        }
    }

    @Test("Who came with a ticket goes when tokens are asked for, and the other way round")
    func protectionChanges() async throws {
        try await TokenScene.run { (tokens: TokenScene) async throws in
            let (scene, node) = (tokens.scene, tokens.node())
            try await scene.ticket()
            try await tokens.set("s", [Self.first], protection: .sevu)
            let byTicket = try #require(try await scene.enter(node))
            #expect(try await node.offer(try tokens.facts()) == .refused(.missingTicket))
            try await tokens.set("s", [Self.first])
            await node.streamSettingsChanged()
            #expect(!node.permits(scene.segment(), session: byTicket))
            #expect(try await node.admit(scene.facts(), session: byTicket) == .refused(.missingTicket))
            let byToken = try #require(try await scene.enter(node, try tokens.facts()))
            try await tokens.set("s", [Self.first], protection: .sevu)
            await node.streamSettingsChanged()
            #expect(!node.permits(scene.segment(), session: byToken))
            // And whoever may be there without anything stays.
            let again = try #require(try await scene.enter(node))
            try await tokens.set("s", [Self.first], protection: .open)
            await node.streamSettingsChanged()
            #expect(node.permits(scene.segment(), session: again))
        }
    }

    @Test("Secrets that another key file sealed admit nobody")
    func foreignKey() async throws {
        try await TokenScene.run { (tokens: TokenScene) async throws in
            let node = tokens.node(ServerSecret(bytes: Array(1..<33)))
            #expect(try await node.offer(try tokens.facts()) == .refused(.invalidToken))
            let clock = tokens.scene.clock
            let without = Admissions(store: tokens.scene.store, now: { clock.both })
            #expect(try await without.offer(try tokens.facts()) == .refused(.invalidToken))
        }
    }

    @Test("Refusals by token are logged, guesses folded into one row")
    func refusals() async throws {
        try await TokenScene.run { (tokens: TokenScene) async throws in
            let (scene, node) = (tokens.scene, tokens.node())
            for number in 0..<5 {
                var facts = try tokens.facts()
                facts.token = "hdnea=exp=1~hmac=0\(number)"
                #expect(try await node.offer(facts) == .refused(.invalidToken))
                #expect(try await node.admit(connection: facts, onEnd: { _ in }) == .refused(.invalidToken))
            }
            let rows = try await scene.store.attempts(accountID: 7, filter: AttemptFilter(), limit: 9, offset: 0)
            #expect(rows.map(\.reason) == ["Invalid HMAC Token"])
            #expect(rows.map(\.repeats) == [10])
        }
    }
}

import Basics
import Foundation
import Storage
import Testing
import Usher

@testable import Admission

@Suite struct ProtectionTests {
    @Test("The configured list decides first, then the stream's settings, then the default")
    func theConfiguredListComesFirstThenSettingsThenTheDefault() async throws {
        try await Scene.run { scene in
            try await scene.store.insertAccount(Account(id: 8, user: "other", created: scene.clock.now))
            let node = scene.node {
                $0.protectedStreams = ["demo-origin/secret*", "demo-vod/*"]
                $0.defaultProtection = .open
            }
            for (app, stream, protection): (String, String, Protection) in [
                ("demo-origin", "open", .open), ("demo-origin", "secret1", .sevu), ("demo-vod", "a/b.mp4", .sevu),
                ("other-vod", "x", .open), ("demo-origin", "open_720p", .open),
            ] {
                #expect(try await node.protection(app: app, stream: stream, account: nil) == protection)
            }
            try await scene.protect("open", .sevu)
            try await scene.protect("secret1", .open)
            // Remembered for a second.
            #expect(try await node.protection(app: "demo-origin", stream: "open", account: nil) == .open)
            scene.clock.advance(1)
            #expect(try await node.protection(app: "demo-origin", stream: "open", account: nil) == .sevu)
            #expect(try await node.protection(app: "demo-origin", stream: "secret1", account: nil) == .sevu)
        }
    }

    @Test("A rendition of a stream that the configuration protects is protected with it")
    func renditionsOfListedStreams() async throws {
        try await Scene.run { (scene: Scene) async throws in
            let node = scene.node {
                $0.protectedStreams = ["demo-origin/paid"]
                $0.defaultProtection = .open
            }
            #expect(try await node.protection(app: "demo-origin", stream: "paid_720p", account: nil) == .sevu)
            #expect(try await node.protection(app: "demo-origin", stream: "paid.smil", account: nil) == .sevu)
            #expect(try await node.protection(app: "demo-origin", stream: "paid2_720p", account: nil) == .open)
        }
    }

    /// The app's `*`, a stream with settings that say nothing of protection, one that is opened, one that is protected.
    @Test(
        "What a stream's settings leave out it takes from the stream it is a rendition of, then from the app, then from the configuration",
        arguments: [
            (nil, nil, Protection.sevu, "show", Protection.sevu), (.open, nil, .sevu, "show", .open),
            (.sevu, nil, .open, "show", .sevu), (.sevu, .open, .sevu, "show", .open),
            (.open, .sevu, .open, "show", .sevu), (.sevu, .open, .sevu, "show_360p", .open),
            (.open, .sevu, .open, "show_360p", .sevu), (.sevu, nil, .open, "show_360p", .sevu),
            (.sevu, .open, .open, "other", .sevu), (nil, .sevu, .open, "other", .open),
        ] as [(Protection?, Protection?, Protection, String, Protection)])
    func inheritance(
        app: Protection?, stream: Protection?, configured: Protection, asked: String, expected: Protection
    ) async throws {
        try await Scene.run { scene in
            for (name, protection) in [("*", app), ("show", stream), ("show_360p", nil)] {
                try await scene.protect(name, protection)
            }
            let node = scene.node { $0.defaultProtection = configured }
            #expect(try await node.protection(app: "demo-origin", stream: asked, account: nil) == expected)
        }
    }

    @Test("Settings that are changed on this node hold at once")
    func changesHereAreSeenAtOnce() async throws {
        try await Scene.run { scene in
            let node = scene.node()
            #expect(try await node.protection(app: "demo-origin", stream: "s", account: nil) == .sevu)
            try await scene.protect("*", .open)
            await node.streamSettingsChanged()
            #expect(try await node.protection(app: "demo-origin", stream: "s", account: nil) == .open)
        }
    }

    @Test("A stream that comes to be protected ends the connections that play it, and no others")
    func openViewersEnd() async throws {
        try await Scene.run { scene in
            let (node, other) = (
                scene.node { $0.defaultProtection = .open }, scene.node { $0.defaultProtection = .open }
            )
            let (ends, elsewhere, left) = (Ends(), Ends(), Ends())
            let playing = try #require(try await node.admit(connection: scene.facts(key: nil), onEnd: ends.note).grant)
            let neighbour = try #require(
                try await node.admit(connection: scene.facts(key: nil, video: "s2"), onEnd: ends.note).grant)
            let gone = try #require(try await node.admit(connection: scene.facts(key: nil), onEnd: left.note).grant)
            _ = try await other.admit(connection: scene.facts(key: nil), onEnd: elsewhere.note)
            await node.close(gone)
            await node.poll()
            #expect(node.isRunning(playing) && !node.isRunning(gone))

            try await scene.protect("s", .sevu)
            await node.streamSettingsChanged()
            #expect(ends.all == [.revoked])
            #expect(!node.isRunning(playing) && node.isRunning(neighbour))
            // Another node hears of it in its next round, whatever it remembers.
            #expect(elsewhere.all == [])
            try await other.reviewRules()
            #expect(elsewhere.all == [.revoked])
            #expect(left.all == [])
            // And nobody comes without a ticket any more.
            #expect(
                try await node.admit(connection: scene.facts(key: nil), onEnd: ends.note) == .refused(.missingTicket))
        }
    }

    @Test("A stream is no less protected when its account is deleted, whoever has the account's name then")
    func deletedAccount() async throws {
        try await Scene.run { scene in
            try await scene.protect("paid", .sevu)
            let node = scene.node { $0.defaultProtection = .open }
            func protection(_ stream: String, of account: AccountID?) async throws -> Protection {
                try await node.protection(app: "demo-origin", stream: stream, account: account)
            }
            #expect(try await protection("paid", of: 7) == .sevu)
            #expect(try await protection("free", of: 7) == .open)
            try await scene.store.deleteAccount(id: 7, at: scene.clock.now)
            scene.clock.advance(1)
            for stream in ["paid", "free"] {
                #expect(try await protection(stream, of: 7) == .sevu)
                #expect(try await protection(stream, of: nil) == .sevu)
                let facts = scene.facts(key: nil, video: stream)
                #expect(try await node.offer(facts) == .refused(.missingTicket))
                #expect(try await node.admit(facts, session: nil) == .refused(.missingTicket))
                let connection = try await node.admit(connection: facts, account: 7) { _ in }
                #expect(connection == .refused(.missingTicket))
            }
            // The stream of before may still be on the air. What the new account publishes is its own.
            try await scene.store.insertAccount(Account(id: 9, user: "demo", created: scene.clock.now))
            scene.clock.advance(1)
            #expect(try await protection("paid", of: 7) == .sevu)
            #expect(try await protection("paid", of: 9) == .open)
            let facts = scene.facts(key: nil, video: "paid")
            #expect(try await node.admit(connection: facts, account: 7) { _ in } == .refused(.missingTicket))
            #expect(try await node.admit(connection: facts, account: 9) { _ in }.grant != nil)
        }
    }

    @Test("Asking how a stream is protected writes nothing")
    func askingWritesNothing() async throws {
        try await Scene.run { scene in
            let before = scene.store.writeCounts.writes
            let node = scene.node { $0.defaultProtection = .open }
            for number in 0..<100 {
                let protection = try await node.protection(app: "demo-origin", stream: "s\(number)", account: nil)
                #expect(protection == .open)
            }
            await node.poll()
            #expect(scene.store.writeCounts.writes == before)
        }
    }
}

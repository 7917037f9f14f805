import Foundation
import Storage
import Testing

@testable import Admission

@Suite struct ProtectionTests {
    @Test("The configured list decides first, then the stream's settings, then the default")
    func theConfiguredListComesFirstThenSettingsThenTheDefault() async throws {
        try await Scene.run { scene in
            let node = scene.node { $0.protectedStreams = ["demo-origin/secret*", "demo-vod/*"] }
            for (app, stream, protection): (String, String, Protection) in [
                ("demo-origin", "open", .none), ("demo-origin", "secret1", .sevu), ("demo-vod", "a/b.mp4", .sevu),
                ("other-vod", "x", .none),
            ] {
                #expect(try await node.protection(app: app, stream: stream) == protection)
            }
            _ = try await scene.store.upsertStream(
                StreamSettings(
                    accountID: 7, app: "demo-origin", stream: "open", protection: .sevu, created: scene.clock.now))
            _ = try await scene.store.upsertStream(
                StreamSettings(accountID: 7, app: "demo-origin", stream: "secret1", created: scene.clock.now))
            // Remembered for a second.
            #expect(try await node.protection(app: "demo-origin", stream: "open") == .none)
            scene.clock.advance(1)
            #expect(try await node.protection(app: "demo-origin", stream: "open") == .sevu)
            #expect(try await node.protection(app: "demo-origin", stream: "secret1") == .sevu)
        }
    }

    @Test("Settings that are changed on this node hold at once")
    func changesHereAreSeenAtOnce() async throws {
        try await Scene.run { scene in
            let node = scene.node { $0.defaultProtection = .sevu }
            #expect(try await node.protection(app: "demo-origin", stream: "s") == .sevu)
            _ = try await scene.store.upsertStream(
                StreamSettings(accountID: 7, app: "demo-origin", stream: "*", created: scene.clock.now))
            node.streamSettingsChanged()
            #expect(try await node.protection(app: "demo-origin", stream: "s") == .none)
        }
    }

    @Test("Asking how a stream is protected writes nothing")
    func askingWritesNothing() async throws {
        try await Scene.run { scene in
            let before = scene.store.writeCounts.writes
            let node = scene.node()
            for number in 0..<100 {
                let protection = try await node.protection(app: "demo-origin", stream: "s\(number)")
                #expect(protection == .none)
            }
            await node.poll()
            #expect(scene.store.writeCounts.writes == before)
        }
    }
}

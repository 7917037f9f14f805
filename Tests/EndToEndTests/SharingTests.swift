import ControlAPI
import Foundation
import TestSupport
import Testing

/// Tickets that may be used by so many at a time.
@Suite(.serialized) struct SharingTests {
    private func play(_ ticket: TicketScene.Ticket, at scene: TicketScene) async throws -> RTMPPlayer {
        try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid" + ticket.query)
    }

    @Test("A link that is shared plays for as many at a time as its ticket says, whatever they play with")
    func aSharedLinkPlaysForSoMany() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 0, ["max_sessions": 2])
        let key = JSONValue.string(ticket.key)
        let media = try await scene.viewer(ticket, from: "127.1.1.1").start()
        #expect(media.reply.status == 200)
        let player = try await play(ticket, at: scene)
        try await eventually("media") { player.mediaBytes > 0 }
        let status = try await scene.account.succeed("sevu.status", ["key": key])
        #expect(status["max_sessions"] == "2" && status["sessions"] == "2")

        // At the first request already.
        #expect(try await scene.viewer(ticket, from: "127.1.2.1").master().status == 403)
        let third = try await play(ticket, at: scene)
        try await eventually("the refusal") { third.state != .connecting }
        #expect(third.state == .refused("NetStream.Play.Failed"))
        let log = try await scene.log(["success": 0])
        #expect(log.map { $0.string("reason") } == ["No Uses Remaining", "No Uses Remaining"])
        #expect(try await scene.account.succeed("sevu.status", ["key": key])["used_count"] == "2")
        // Who plays is not disturbed, and a reload of his page is the same session.
        #expect(try await Curl.get(media.url, from: "127.1.1.1").status == 200)
        #expect(try await scene.viewer(ticket, from: "127.1.1.1").start().url == media.url)

        // A place is free when a player closes, when a session is ended, and when more are allowed.
        await player.close()
        var late = media
        try await eventually("a place") {
            let viewer = scene.viewer(ticket, from: "127.1.2.1")
            guard try await viewer.master().status == 200 else { return false }
            late = try await viewer.start()
            return late.reply.status == 200
        }
        #expect(try await scene.viewer(ticket, from: "127.1.3.1").master().status == 403)
        let running = try await scene.account.succeed("sevu.sessions", ["ip": "127.1.1.1"])
        let session = try #require(running["sessions"]?.arrayValue?.first?.objectValue?["session"])
        try await scene.account.succeed("sevu.kick", ["session": session])
        #expect(try await scene.viewer(ticket, from: "127.1.3.1").start().reply.status == 200)
        #expect(try await scene.viewer(ticket, from: "127.1.4.1").master().status == 403)
        try await scene.account.succeed("sevu.update", ["key": key, "max_sessions": 0])
        #expect(try await scene.viewer(ticket, from: "127.1.4.1").start().reply.status == 200)
        #expect(try await Curl.get(late.url, from: "127.1.2.1").status == 200)
    }

    @Test(
        "A player that is cut off by a change of its ticket frees its place at once, and so does an origin that is stopped"
    )
    func cutOffPlayersLeaveNoPlaceTaken() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 0, ["max_sessions": 1])
        let key = JSONValue.string(ticket.key)
        for change in [["video": "other"], ["active": 0]] as [JSONObject] {
            let player = try await play(ticket, at: scene)
            try await eventually("media") { player.mediaBytes > 0 }
            var fields: JSONObject = ["key": key, "request_id": .string(UUID().uuidString)]
            for member in change.members { fields[member.name] = member.value }
            try await scene.account.succeed("sevu.update", fields)
            try await eventually("the player's end") { player.state != .playing }
            try await scene.account.succeed(
                "sevu.update",
                ["key": key, "video": "paid", "active": 1, "request_id": .string(UUID().uuidString)])
            try await eventually("a free place") {
                try await scene.account.succeed("sevu.status", ["key": key])["sessions"] == "0"
            }
        }
        let last = try await play(ticket, at: scene)
        try await eventually("media") { last.mediaBytes > 0 }
        try await scene.origin.stop()
        let next = try await OriginProcess(
            OriginProcess.quick, folder: scene.origin.folder, ports: (scene.origin.httpPort, scene.origin.rtmpPort))
        let encoder = try TinyEncoder(to: next.rtmp("paid"))
        try await scene.account.awaitOnAir("paid", encoder)
        #expect(try await scene.account.succeed("sevu.status", ["key": key])["sessions"] == "0")
        let again = try await play(ticket, at: scene)
        try await eventually("media") { again.mediaBytes > 0 }
    }

    @Test("An origin that is killed leaves sessions behind, which free their places in the time of a session")
    func aKilledOriginLeavesPlacesThatComeFree() async throws {
        let settings = ["hls.session_timeout: 5"]
        let scene = try await TicketScene(settings)
        let ticket = try await scene.ticket(uses: 0, ["max_sessions": 1])
        let player = try await play(ticket, at: scene)
        try await eventually("media") { player.mediaBytes > 0 }
        scene.origin.signal(SIGKILL)
        try await eventually("its end") { !scene.origin.isRunning }
        let next = try await OriginProcess(
            OriginProcess.quick + settings, folder: scene.origin.folder,
            ports: (scene.origin.httpPort, scene.origin.rtmpPort))
        let encoder = try TinyEncoder(to: next.rtmp("paid"))
        try await scene.account.awaitOnAir("paid", encoder)
        try await eventually("a place") {
            let again = try await self.play(ticket, at: scene)
            try await eventually("an answer") { again.state != .connecting }
            defer { Task { await again.close() } }
            return again.state == .playing
        }
    }
}

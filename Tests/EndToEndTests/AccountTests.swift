import ControlAPI
import Foundation
import TestSupport
import Testing

/// What becomes of an account on an origin that runs.
@Suite(.serialized) struct AccountTests {
    @Test("A running origin ends streams, pushes and viewers of an account that is deleted, and nobody else's")
    func deletion() async throws {
        let scene = try await TicketScene([OriginProcess.loopbackPushes])
        let (origin, account) = (scene.origin, scene.account)
        let other = try await origin.account("other", accountID: 159)
        try await other.openStream("theirs")
        let theirs = try TinyEncoder(to: origin.rtmp("theirs", app: "other-origin"))
        try await other.awaitOnAir("theirs", theirs)
        try await other.openStream("copy")
        try await account.succeed(
            "pushpublish.connect",
            [
                "service_name": "rtmp", "app": "demo-origin", "inst": "live", "stream": "paid", "entry_name": "copy",
                "url": .string(origin.rtmp("copy", app: "other-origin")),
            ])
        try await account.awaitPush("copy", of: "paid", "Connected")
        try await eventually("the copy") { try await other.details("copy") != nil }
        let ticket = try await scene.ticket(uses: 0)
        let viewer = try await scene.viewer(ticket).start()
        #expect(viewer.reply.status == 200)
        let player = try await RTMPPlayer(
            port: origin.rtmpPort, app: "demo-origin/live", stream: "paid" + ticket.query)
        let bystander = try await RTMPPlayer(port: origin.rtmpPort, app: "other-origin/live", stream: "theirs")
        try await eventually("media") { player.mediaBytes > 0 && bystander.mediaBytes > 0 }

        // Somebody without a ticket tries for as long as there is something.
        let stranger = Task {
            var statuses: Set<Int> = []
            while !statuses.contains(404) {
                statuses.insert(try await HTTPGet(origin.playlist("paid")).status)
            }
            return statuses
        }
        let deleted = try await ForeignProgram.run([
            Places.playhouse, "account", "delete", "demo", "--yes", "--config", origin.configuration,
        ])
        #expect(deleted.status == 0, "\(deleted.errors)")
        #expect(
            deleted.text
                == "demo (CDN 158) is deleted, with 1 API key, 1 stream, 1 stream user, 1 ticket, 0 stored pushes\n")

        try await eventually("the encoder is sent away") { scene.encoder?.program.isRunning == false }
        try await eventually("the player's end") { player.state != .playing }
        try await eventually("the end of the playlist") {
            try await Curl.get(viewer.url, from: "127.0.0.1").status != 200
        }
        #expect(try await stranger.value == [403, 404])
        try await eventually("the end of the push") { try await other.details("copy") == nil }
        #expect(try await account.call("app.list")["status"] == "failure")
        let again = try await TinyEncoder(to: origin.rtmp("paid")).program.result(within: 30)
        #expect(again.errors.contains("no such application"), "\(again.errors)")
        #expect(try await HTTPGet(origin.playlist("paid", query: ticket.query)).status == 404)

        // Others notice nothing.
        let before = bystander.mediaBytes
        try await eventually("more media") { bystander.mediaBytes > before }
        #expect(try await other.details("theirs") != nil)
        try await theirs.stop()
    }
}

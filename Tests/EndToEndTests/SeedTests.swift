import Basics
import ControlAPI
import Foundation
import Storage
import TestSupport
import Testing
import Usher

/// The two documented PHP samples, run as they stand (`Fixtures/README.md`) against the program.
@Suite(.serialized) struct SeedTests {
    @Test("The documented disconnect ends a push for good")
    func theDocumentedDisconnectEndsAPushForGood() async throws {
        let origin = try await OriginProcess(OriginProcess.quick + [OriginProcess.loopbackPushes])
        let account = try await origin.account()
        let nginx = try FarEndNginx()
        try await nginx.start()
        let encoder = try await origin.publish("mystream", as: account)
        let push: JSONObject = [
            "service_name": "rtmp", "app": "demo-origin", "inst": "live", "stream": "mystream",
            "url": .string(nginx.url("copy-key")), "entry_name": "session_1",
        ]
        try await account.succeed("pushpublish.connect", push)
        try await account.awaitPush("session_1", of: "mystream", "Connected")
        try await nginx.kill()
        try await account.awaitPush("session_1", of: "mystream", "Retrying")
        try await nginx.start()
        try await account.awaitPush("session_1", of: "mystream", "Connected")
        #expect(try await nginx.published() == ["copy-key"])

        let first = try await SeedProgram.run("seed-disconnect.php", as: account)
        #expect(first.status == 0)
        let expected = SeedProgram.printed([("message", "session_1 disconnected"), ("status", "success")])
        #expect(first.text.hasPrefix(expected))
        #expect(first.text.dropFirst(expected.count).wholeMatch(of: /\d+\.\d{4} seconds\n\)\n/) != nil)
        #expect(try await account.pushes(of: "mystream").isEmpty)
        try await eventually("the end at nginx") { try await nginx.published().isEmpty }

        // It stays away while the stream goes on for longer than any pause between attempts (1 s here).
        let segment = try await lastSegment(account)
        try await eventually("two seconds of the stream") { try await lastSegment(account) >= segment + 5 }
        #expect(try await account.pushes(of: "mystream").isEmpty)
        #expect(try await nginx.published().isEmpty)

        let second = try await SeedProgram.run("seed-disconnect.php", as: account)
        #expect(
            second.text.hasPrefix(
                SeedProgram.printed([
                    ("code", "2340"), ("message", "session_1 is not connected"), ("status", "failure"),
                ])))

        // The reply's own bytes, which print_r does not show.
        try await account.succeed("pushpublish.connect", push)
        let raw = try await account.raw(
            "pushpublish.disconnect", ["app": "demo-origin", "inst": "live", "entry_name": "session_1"])
        #expect(
            raw.wholeMatch(
                of: /\{"message":"session_1 disconnected","status":"success","handle_time":"\d+\.\d{4} seconds"\}/)
                != nil)
        try await encoder.stop()
    }

    private func lastSegment(_ account: TestAccount) async throws -> Int64 {
        try await account.details("mystream")?.integer("last_chunk_id") ?? 0
    }

    @Test("The documented count counts what the sample asks for")
    func theDocumentedCountCountsWhatTheSampleAsksFor() async throws {
        // The sample's viewer is at 192.168.0.0: he comes through a proxy that says so.
        let origin = try await OriginProcess(OriginProcess.quick + ["http.trusted_proxies: [127.0.0.1/32]"])
        let account = try await origin.account()
        let counted = { (count: Int) in
            [
                ("code", "2051"), ("message", "ScaleEngine Virtual Usher unsuccessful tickets attempts found"),
                ("status", "success"), ("error_count", "\(count)"),
            ]
        }
        #expect(
            try await SeedProgram.run("seed-errorcount.php", as: account).text.hasPrefix(
                SeedProgram.printed(counted(0))))

        // Keys are chosen by the server, so the sample's is put into its database by the front door of the store.
        let store = try await SQLiteStore.open(folder: origin.folder.file("data"))
        let pass = "unique_random_string_per_request"
        let ticket = Ticket(
            accountID: 158, key: "mystream.53ffc996dd39d5.39102367", pass: pass, ip: "0.0.0.0/0", app: "demo-origin",
            video: "mystream", uses: 4, created: Date(), expires: Date(timeIntervalSinceNow: 3_600))
        _ = try await store.insertTicket(ticket)
        try await store.close()

        let encoder = try await origin.publish("mystream", as: account, ["protection": "sevu"])
        // Three RTMP players of another address, which the sample does not ask for, and one HLS viewer of its own.
        var players: [RTMPPlayer] = []
        for _ in 1...3 {
            let player = try await RTMPPlayer(
                port: origin.rtmpPort, app: "demo-origin/live", stream: "mystream?key=\(ticket.key)&pass=\(pass)")
            players.append(player)
            try await eventually("an RTMP player") { player.state == .playing }
        }
        let url = origin.playlist("mystream", query: "?key=\(ticket.key)&pass=\(pass)")
        let header = "X-Forwarded-For: 192.168.0.0"
        let viewer = HLSViewer(url: url)
        let media = try viewer.media(in: try await Curl.get(url, headers: [header]))
        #expect(try await Curl.get(media, headers: [header]).status == 200)
        // Refused for want of uses: not accepted, so not counted by `success` 1.
        #expect(try await Curl.get(url, headers: ["X-Forwarded-For: 192.168.0.1"]).status == 403)

        let run = try await SeedProgram.run("seed-errorcount.php", as: account)
        #expect(run.status == 0)
        let expected = SeedProgram.printed(counted(1))
        #expect(run.text.hasPrefix(expected))
        #expect(run.text.dropFirst(expected.count).wholeMatch(of: /\d+\.\d{4} seconds\n\)\n/) != nil)

        // The sample's fields without the address: all four admitted attempts, the documented reply to the byte.
        let raw = try await account.raw(
            "sevu.errorcount",
            [
                "key": .string(ticket.key), "app": "demo-origin", "video": "mystream", "pass": .string(pass),
                "success": 1, "limit": "25", "seek": "0",
            ])
        let bytes =
            #"{"code":2051,"message":"ScaleEngine Virtual Usher unsuccessful tickets attempts found","#
            + #""status":"success","error_count":4,"handle_time":""#
        #expect(raw.hasPrefix(bytes))
        #expect(raw.dropFirst(bytes.count).wholeMatch(of: /\d+\.\d{4} seconds"\}/) != nil)
        let count = { (fields: JSONObject) in try await account.succeed("sevu.errorcount", fields)["error_count"] }
        #expect(try await count(["key": .string(ticket.key)]) == 5)
        #expect(try await count(["key": .string(ticket.key), "success": 0]) == 1)
        #expect(try await count(["key": .string(ticket.key), "seek": "3"]) == 2)
        #expect(try await count(["key": .string(ticket.key), "seek": "1", "limit": "3"]) == 3)
        for player in players { await player.close() }
        try await encoder.stop()
    }
}

import ControlAPI
import Foundation
import TestSupport
import Testing

/// Who may watch, on real video, from real addresses.
@Suite(.serialized) struct TicketTests {
    @Test("ffmpeg plays with a ticket, and nothing plays without one")
    func aTicketPlaysInFFmpegAndWithoutOneNothingDoes() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 5)
        let frame = scene.origin.folder.file("frame.png")
        let played = try await ForeignProgram.run([
            "ffmpeg", "-v", "error", "-nostdin", "-i", scene.viewer(ticket).url, "-frames:v", "1", "-update", "1",
            frame,
        ])
        #expect(played.status == 0)
        let size = try await ForeignProgram.run([
            "ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", frame,
        ])
        #expect(size.text == "128,72\n")
        #expect(try await scene.remaining(ticket) == "4")

        let bare = try await Curl.get(scene.origin.playlist("paid"))
        #expect(bare.status == 403)
        #expect(bare.body == "Forbidden.\n")
        #expect(
            try await Curl.get(scene.origin.playlist("paid").replacing("playlist", with: "chunklist")).status == 403)
        let refused = try await ForeignProgram.run([
            "ffmpeg", "-v", "error", "-nostdin", "-i", scene.origin.playlist("paid"), "-f", "null", "-",
        ])
        #expect(refused.status != 0)
        #expect(refused.errors.contains("403"))

        let rows = try await scene.log()
        #expect(rows.map { $0.string("success") } == ["0", "1"])
        #expect(rows.map { $0.string("reason") } == ["Missing Ticket", ""])
        #expect(rows.map { $0.string("repeats") } == ["3", "1"])
        #expect(rows.last?.string("key") == ticket.key)
        #expect(rows.last?.string("pass") == ticket.pass)
        #expect(rows.last?.string("appinst") == "play")
    }

    @Test("Every refusal is 403 and has its reason in the log")
    func everyRefusalIs403AndHasItsReasonInTheLog() async throws {
        let scene = try await TicketScene()
        let good = try await scene.ticket(uses: 1)
        let revoked = try await scene.ticket(uses: 1)
        try await scene.account.succeed("sevu.revoke", ["key": .string(revoked.key)])
        #expect(try await scene.viewer(good, from: "127.0.0.77").start().reply.status == 200)
        let unix = Int(Date().timeIntervalSince1970)

        var refusals = [
            (TicketScene.Ticket(key: "paid.0000000000000.00000000", pass: "x"), "Invalid Auth Token"),
            (TicketScene.Ticket(key: good.key, pass: "wrong"), "Invalid Password"),
            (revoked, "Ticket Revoked"),
            (try await scene.ticket(uses: 1, ["expire": .int(unix - 60)]), "Expiration date surpassed"),
            (try await scene.ticket(uses: 1, ["app": "demo-vod"]), "Invalid Application"),
            (try await scene.ticket(uses: 1, ["video": "paid_other|pai"]), "Invalid Video"),
            (try await scene.ticket(uses: 1, ["ip": "127.0.1.0/24|10.0.0.1"]), "Invalid IP Address"),
            (good, "No Uses Remaining"),
        ]
        for (ticket, reason) in refusals {
            let reply = try await scene.viewer(ticket, from: "127.0.0.9").master()
            #expect(reply.status == 403, "\(reason)")
            #expect(reply.body == "Forbidden.\n")
        }
        let rows = try await scene.log(["success": 0])
        refusals.reverse()
        #expect(rows.map { $0.string("reason") } == refusals.map(\.1))
        #expect(rows.map { $0.string("key") } == refusals.map(\.0.key))
        #expect(rows.allSatisfy { $0["repeats"] == "1" && $0["ip"] == "127.0.0.9" && $0["video"] == "paid" })
        #expect(try await scene.log(["success": 1]).map { $0.string("key") } == [good.key])
    }

    @Test("RTMP takes the ticket on the app and on the stream")
    func rtmpTakesTheTicketOnTheAppAndOnTheStream() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 3)
        // rtmpdump on the application, ffmpeg on the stream's name.
        let file = scene.origin.folder.file("dump.flv")
        let app = "rtmp://127.0.0.1:\(scene.origin.rtmpPort)/demo-origin/live"
        let dump = try ForeignProgram([
            "rtmpdump", "--quiet", "--live", "--rtmp", app + ticket.query, "--app", "demo-origin/live" + ticket.query,
            "--playpath", "paid", "--flv", file,
        ])
        try await eventually("what rtmpdump writes") {
            (FileManager.default.contents(atPath: file)?.count ?? 0) > 20_000
        }
        dump.signal(SIGINT)
        try await dump.result()
        #expect(try await MediaPacket.all(of: file).contains { $0.isVideo })
        #expect(try await scene.remaining(ticket) == "2")
        let played = try await ForeignProgram.run([
            "ffmpeg", "-v", "error", "-nostdin", "-i", scene.origin.rtmp("paid", query: ticket.query), "-frames:v", "3",
            "-f", "null", "-",
        ])
        #expect(played.status == 0, "\(played.errors)")
        #expect(try await scene.remaining(ticket) == "1")
        // Every connection is a use, from the same address as well.
        let last = try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live" + ticket.query, stream: "paid")
        try await eventually("the third player") { last.mediaBytes > 0 }
        #expect(try await scene.remaining(ticket) == "0")

        for query in [ticket.query, "", "?key=\(ticket.key)&pass=no"] {
            let player = try await RTMPPlayer(
                port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid" + query)
            try await eventually("the refusal") { player.state != .connecting }
            #expect(player.state == .refused("NetStream.Play.Failed"))
        }
        #expect(
            try await scene.log(["success": 0]).map { $0.string("reason") }
                == ["Invalid Password", "Missing Ticket", "No Uses Remaining"])
        await last.close()
    }

    @Test("Of a hundred players at once ten get the ten uses there are")
    func aHundredPlayersAtOnceGetTheTenUsesThereAre() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 10)
        let url = scene.viewer(ticket).url
        let masters = try await Curl.all((1...100).map { Curl.Request(url: url, address: "127.0.0.\($0)") })
        #expect(masters.allSatisfy { $0.status == 200 })
        let media = try masters.enumerated().map { index, master in
            Curl.Request(url: try scene.viewer(ticket).media(in: master), address: "127.0.0.\(index + 1)")
        }
        #expect(Set(media.map { HLSViewer.session(in: $0.url) }).count == 100)
        let replies = try await Curl.all(media)
        #expect(replies.filter { $0.status == 200 }.count == 10)
        #expect(replies.filter { $0.status == 403 }.count == 90)
        #expect(try await scene.remaining(ticket) == "0")
        #expect(try await scene.attempts(ticket, success: true) == 10)
        #expect(try await scene.attempts(ticket, success: false) == 90)

        // Those who were let in go on; those who were not stay out.
        let again = try await Curl.all(media)
        #expect(again.map { $0.status == 200 } == replies.map { $0.status == 200 })
        #expect(try await scene.attempts(ticket, success: true) == 10)
    }

    @Test("Of a hundred RTMP players at once ten get the ten uses there are")
    func aHundredRTMPPlayersAtOnceGetTheTenUsesThereAre() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 10)
        let port = scene.origin.rtmpPort
        let players = try await withThrowingTaskGroup(of: RTMPPlayer.self) { group in
            for _ in 1...100 {
                group.addTask {
                    try await RTMPPlayer(port: port, app: "demo-origin/live", stream: "paid" + ticket.query)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await eventually("an answer for everyone") { players.allSatisfy { $0.state != .connecting } }
        #expect(players.filter { $0.state == .playing }.count == 10)
        #expect(players.filter { $0.state == .refused("NetStream.Play.Failed") }.count == 90)
        try await eventually("media for the ten") {
            players.allSatisfy { $0.state != .playing || $0.mediaBytes > 0 }
        }
        #expect(players.allSatisfy { $0.state == .playing || $0.mediaBytes == 0 })
        #expect(try await scene.remaining(ticket) == "0")
        #expect(try await scene.attempts(ticket, success: true) == 10)
        #expect(try await scene.attempts(ticket, success: false) == 90)
        for player in players { await player.close() }
    }

    @Test("An auto ticket belongs to the address that comes first")
    func anAutoTicketBelongsToWhoComesFirst() async throws {
        let scene = try await TicketScene()
        func status(_ ticket: TicketScene.Ticket, from address: String) async throws -> Int {
            let master = try await scene.viewer(ticket, from: address).master()
            guard master.status == 200 else { return master.status }
            return try await Curl.get(scene.viewer(ticket).media(in: master), from: address).status
        }
        let one = try await scene.ticket(uses: 0, ["ip": "auto"])
        #expect(try await status(one, from: "127.0.0.5") == 200)
        #expect(try await status(one, from: "127.0.0.6") == 403)
        #expect(try await status(one, from: "127.0.0.5") == 200)

        let networks = try await scene.ticket(uses: 0, ["ip": "auto/24|auto/24"])
        #expect(try await status(networks, from: "127.0.0.5") == 200)
        #expect(try await status(networks, from: "127.0.0.99") == 200)
        #expect(try await status(networks, from: "127.0.1.5") == 200)
        #expect(try await status(networks, from: "127.0.2.5") == 403)
        #expect(try await status(networks, from: "127.0.1.200") == 200)
        #expect(try await scene.attempts(networks, success: true) == 4)
        #expect(
            try await scene.log(["success": 0]).map { $0.string("reason") }
                == ["Invalid IP Address", "Invalid IP Address"])
        // The ticket says what was asked for.
        let shown = try await scene.account.succeed("sevu.status", ["key": .string(networks.key)])
        #expect(shown["ip"] == "auto/24|auto/24")

        // A hundred at once for one place: one is in.
        let raced = try await scene.ticket(uses: 0, ["ip": "auto"])
        let url = scene.viewer(raced).url
        let masters = try await Curl.all((1...100).map { Curl.Request(url: url, address: "127.0.3.\($0)") })
        let replies = try await Curl.all(
            masters.enumerated().map { index, master in
                Curl.Request(url: try scene.viewer(raced).media(in: master), address: "127.0.3.\(index + 1)")
            })
        #expect(replies.filter { $0.status == 200 }.count == 1)
        #expect(try await scene.attempts(raced, success: true) == 1)
    }

    @Test("A reload is free, and coming back later is not")
    func aReloadIsFreeAndComingBackLaterIsNot() async throws {
        let scene = try await TicketScene(["hls.session_timeout: 5"])
        let ticket = try await scene.ticket(uses: 2)
        let viewer = scene.viewer(ticket)
        let first = try await viewer.start()
        #expect(first.reply.status == 200)
        #expect(try await scene.remaining(ticket) == "1")

        let reload = try await viewer.start()
        #expect(reload.reply.status == 200)
        #expect(HLSViewer.session(in: reload.url) == HLSViewer.session(in: first.url))
        let segment = try HLSViewer.lastSegment(of: reload.reply, at: reload.url)
        #expect(try await Curl.get(segment).status == 200)
        #expect(try await scene.remaining(ticket) == "1")
        #expect(try await scene.viewers() == 1)

        try await eventually("the end of the session") { try await scene.viewers() == 0 }
        #expect(try await Curl.get(segment).status == 403)
        let later = try await viewer.start()
        #expect(later.reply.status == 200)
        #expect(HLSViewer.session(in: later.url) != HLSViewer.session(in: first.url))
        #expect(try await scene.remaining(ticket) == "0")
        #expect(try await scene.attempts(ticket, success: true) == 2)
    }

    @Test("A revoked ticket ends what plays with it")
    func aRevokedTicketEndsWhatPlaysWithIt() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 10)
        let other = try await scene.ticket(uses: 10)
        let player = try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid" + ticket.query)
        let neighbour = try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid" + other.query)
        try await eventually("media") { player.mediaBytes > 0 && neighbour.mediaBytes > 0 }
        let media = try await scene.viewer(ticket).start()
        let segment = try HLSViewer.lastSegment(of: media.reply, at: media.url)
        #expect(try await Curl.get(segment).status == 200)

        #expect(try await scene.account.succeed("sevu.revoke", ["key": .string(ticket.key)])["code"] == 2002)
        try await eventually("the end of the RTMP player", within: .seconds(10)) { player.state == .closed }
        #expect(try await Curl.get(media.url).status == 403)
        #expect(try await Curl.get(segment).status == 403)
        #expect(try await scene.viewer(ticket).master().status == 403)
        let shown = try await scene.account.succeed("sevu.status", ["key": .string(ticket.key)])
        #expect(shown["active"] == "0")

        let seen = neighbour.mediaBytes
        try await eventually("more media for the neighbour") { neighbour.mediaBytes > seen }
        #expect(neighbour.state == .playing)
        #expect(try await scene.viewer(other).start().reply.status == 200)
        await neighbour.close()
    }

    @Test("A stream that is protected while it is on air loses those who watch without a ticket, and nobody else")
    func aStreamThatIsProtectedWhileOnAir() async throws {
        let origin = try await OriginProcess(OriginProcess.quick)
        let account = try await origin.account()
        let encoder = try await origin.publish("open", as: account, [:])
        let free = try await origin.publish("free", as: account, [:])
        func play(_ stream: String) async throws -> RTMPPlayer {
            try await RTMPPlayer(port: origin.rtmpPort, app: "demo-origin/live", stream: stream)
        }
        let (viewer, neighbour) = (try await play("open"), try await play("free"))
        try await eventually("media") { viewer.mediaBytes > 0 && neighbour.mediaBytes > 0 }
        try await eventually("the first playlist") { try await Curl.get(origin.chunklist("open")).status == 200 }

        let changed = try await account.succeed(
            "sevu.updatestream", ["app": "demo-origin", "stream": "open", "protection": "sevu"])
        #expect(changed["protection"] == "sevu")
        try await eventually("the end of the viewer") { viewer.state == .closed }
        #expect(try await Curl.get(origin.chunklist("open")).status == 403)
        let late = try await play("open")
        try await eventually("the refusal of another") { late.state == .refused("NetStream.Play.Failed") }
        let seen = neighbour.mediaBytes
        try await eventually("more media for the neighbour") { neighbour.mediaBytes > seen }
        withExtendedLifetime((encoder, free)) {}
        await neighbour.close()
    }

    @Test("Viewers behind a proxy that nobody vouches for are warned of once, or refused where that is asked for")
    func aProxyThatNobodyVouchesFor() async throws {
        let forwarded = ["X-Forwarded-For: 203.0.113.7"]
        let warning = "X-Forwarded-For from a proxy that is not in http.trusted_proxies"
        for (settings, status, warnings, reason): ([String], Int, Int, String) in [
            ([], 200, 1, ""), (["usher.require_trusted_proxy: true"], 403, 1, "Invalid IP Address"),
            (["usher.require_trusted_proxy: true", "http.trusted_proxies: [127.0.0.1]"], 200, 0, ""),
        ] {
            let scene = try await TicketScene(settings)
            let ticket = try await scene.ticket(uses: 1)
            let viewer = scene.viewer(ticket)
            for _ in 0..<3 {
                let master = try await Curl.get(viewer.url, headers: forwarded)
                #expect(master.status == status)
                guard status == 200 else { continue }
                #expect(try await Curl.get(try viewer.media(in: master), headers: forwarded).status == 200)
            }
            let rows = try await scene.log()
            #expect(rows.map { $0.string("reason") } == [reason])
            #expect(rows.first?.string("ip") == (warnings == 0 ? "203.0.113.7" : "127.0.0.1"))
            #expect(scene.origin.logLines(warning, "address=127.0.0.1") == warnings)
            // A viewer who comes by himself is let in, and costs nobody a line.
            let alone = try await scene.ticket(uses: 1)
            #expect(try await scene.viewer(alone).start().reply.status == 200)
            #expect(scene.origin.logLines(warning) == warnings)
        }
    }

    @Test("While another process holds the database viewers play on, and the API says try again and means it")
    func aDatabaseThatIsHeld() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 5)
        let playing = try await scene.viewer(ticket).start()
        let holder = try ForeignProgram([
            "python3", "-c",
            """
            import sqlite3, sys, time
            database = sqlite3.connect(sys.argv[1])
            database.execute('BEGIN IMMEDIATE')
            print('held', flush=True)
            time.sleep(600)
            """, scene.origin.folder.file("data/playhouse.sqlite"),
        ])
        try await eventually("the lock") { holder.output.contains("held") }

        let keys = scene.account.keys
        let request = keys.text(
            command: "sevu.request",
            fields: ["app": "demo-origin", "video": "paid", "pass": "once", "ip": "0.0.0.0/0", "uses": 1], now: Date())
        let refused = try await scene.account.send(request)
        #expect(refused.status == 503)
        #expect(
            refused.text.hasPrefix(#"{"code":1000,"message":"The server cannot store anything now, please try again""#))
        // Who plays goes on, and what only reads is answered.
        #expect(try await Curl.get(playing.url).status == 200)
        #expect(try await Curl.get(try HLSViewer.lastSegment(of: playing.reply, at: playing.url)).status == 200)
        #expect(try await scene.remaining(ticket) == "4")
        // Who comes now is told to come again.
        let late = scene.viewer(ticket, from: "127.0.0.2")
        let media = try late.media(in: try await late.master())
        #expect(try await Curl.get(media, from: "127.0.0.2").status == 503)

        holder.kill()
        // The very same request is run now, once.
        let reply = try await scene.account.send(request)
        #expect(reply.status == 200)
        #expect(reply.text.hasPrefix(#"{"code":2000,"#), "\(reply.text)")
        #expect(try await scene.account.send(request).text == reply.text)
        #expect(try await late.start().reply.status == 200)
        #expect(scene.origin.logLines("API command not carried out") == 1)
    }

    @Test("Who watches is listed with what was sent, and one of them is sent away")
    func whoWatchesIsListed() async throws {
        let scene = try await TicketScene()
        let (one, other) = (try await scene.ticket(uses: 1), try await scene.ticket(uses: 1))
        let player = try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid" + one.query)
        try await eventually("media") { player.mediaBytes > 0 }
        let media = try await scene.viewer(other, from: "127.0.0.2").start()
        let segment = try HLSViewer.lastSegment(of: media.reply, at: media.url)
        let bytes = try await Curl.get(segment, from: "127.0.0.2").body.utf8.count + media.reply.body.utf8.count
        #expect(bytes > 0)

        func sessions(_ fields: JSONObject = [:]) async throws -> [JSONObject] {
            let reply = try await scene.account.succeed("sevu.sessions", fields)
            return reply["sessions"]?.arrayValue?.compactMap(\.objectValue) ?? []
        }
        let all = try await sessions()
        #expect(all.map { $0.string("protocol") } == ["hls", "rtmp"])
        #expect(all.map { $0.string("key") } == [other.key, one.key])
        #expect(all.map { $0.string("pass") } == [other.pass, one.pass])
        #expect(all.map { $0.string("ip") } == ["127.0.0.2", "127.0.0.1"])
        #expect(all.allSatisfy { $0.string("video") == "paid" && $0.string("app") == "demo-origin" })
        // The session's own id, which opens its path, is nowhere.
        #expect(
            !all.contains { row in row.members.contains { media.url.contains("sess_" + ($0.value.stringValue ?? "/")) }
            })
        let sent = try #require(Int(all.first?.string("bytes") ?? ""))
        #expect(sent >= 1_000)
        try await eventually("what the RTMP player was sent") {
            Int(try await sessions(["key": .string(one.key)]).first?.string("bytes") ?? "") ?? 0 > 1_000
        }
        for (fields, count) in [
            (["ip": "127.0.0.0/31"], 1), (["app": "demo-live", "video": "pa*"], 2), (["video": "other"], 0),
            (["limit": 1], 1), (["key": .string(other.key)], 1),
        ] as [(JSONObject, Int)] {
            #expect(try await sessions(fields).count == count, "\(fields)")
        }

        for (row, isOver) in zip(
            all,
            [
                { try await Curl.get(segment, from: "127.0.0.2").status == 403 }, { player.state == .closed },
            ] as [() async throws -> Bool])
        {
            let name = JSONValue.string(row.string("session"))
            #expect(try await scene.account.succeed("sevu.kick", ["session": name])["code"] == 2007)
            try await eventually("the end of \(row.string("protocol"))") { try await isOver() }
            let again = try await scene.account.call("sevu.kick", ["session": name, "request_id": "again"])
            #expect(again["code"] == 2041)
        }
        // Its ticket had one use, and the session that had it is not joined again.
        #expect(try await Curl.get(media.url, from: "127.0.0.2").status == 403)
        #expect(try await sessions().isEmpty)
    }

    @Test("A ticket that runs out ends what plays with it")
    func aTicketThatRunsOutEndsWhatPlaysWithIt() async throws {
        let scene = try await TicketScene()
        let unix = Int(Date().timeIntervalSince1970)
        let ticket = try await scene.ticket(uses: 10, ["expire": .int(unix + 8)])
        let player = try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid" + ticket.query)
        try await eventually("media") { player.mediaBytes > 0 }
        let media = try await scene.viewer(ticket).start()
        let segment = try HLSViewer.lastSegment(of: media.reply, at: media.url)
        try await eventually("the end of the RTMP player") { player.state == .closed }
        #expect(Date().timeIntervalSince1970 >= Double(unix + 8))
        #expect(try await Curl.get(segment).status == 403)
        #expect(try await Curl.get(media.url).status == 403)
    }

    @Test("Viewers do not notice a restart")
    func aRestartGoesUnnoticedByWhoIsWatching() async throws {
        let scene = try await TicketScene()
        let ticket = try await scene.ticket(uses: 1)
        let before = try await scene.viewer(ticket).start()
        #expect(before.reply.status == 200)
        #expect(try await scene.remaining(ticket) == "0")
        try await scene.encoder?.stop()
        #expect(try await scene.origin.stop().status == 0)

        let origin = try await OriginProcess(
            OriginProcess.quick, folder: scene.origin.folder,
            ports: (http: scene.origin.httpPort, rtmp: scene.origin.rtmpPort))
        let encoder = try TinyEncoder(to: origin.rtmp("paid"))
        try await scene.account.awaitOnAir("paid", encoder)
        // The player asks for its media playlist as if nothing had happened, and follows where that leads.
        var url = before.url
        var reply = try await Curl.get(url)
        if reply.status == 302 {
            url = reply.redirect
            reply = try await Curl.get(url)
        }
        #expect(reply.status == 200)
        #expect(try await Curl.get(try HLSViewer.lastSegment(of: reply, at: url)).status == 200)
        #expect(try await scene.remaining(ticket) == "0")
        #expect(try await scene.attempts(ticket) == 1)
        // Without the ticket the session's path alone opens nothing that was not open.
        let bare = String(before.url.prefix { $0 != "?" }).replacing(
            /sess_[^\/]+/, with: "sess_" + String(repeating: "A", count: 32))
        #expect(try await Curl.get(bare).status == 403)
        try await encoder.stop()
        try await origin.stop()
    }

    @Test("An offline stream charges nobody")
    func anOfflineStreamChargesNobody() async throws {
        let scene = try await TicketScene(isOnAir: false)
        let ticket = try await scene.ticket(uses: 1)
        #expect(try await scene.viewer(ticket).master().status == 404)
        #expect(
            try await Curl.get(scene.viewer(ticket).url.replacing("playlist.m3u8", with: "chunklist.m3u8")).status
                == 404)
        let player = try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid" + ticket.query)
        try await eventually("an answer") { player.state != .connecting }
        #expect(player.state == .refused("NetStream.Play.StreamNotFound"))
        await player.close()
        #expect(try await scene.remaining(ticket) == "1")
        #expect(try await scene.attempts(ticket) == 0)

        let encoder = try TinyEncoder(to: scene.origin.rtmp("paid"))
        try await scene.account.awaitOnAir("paid", encoder)
        try await eventually("the first playlist") {
            let start = try await scene.viewer(ticket).master()
            return start.status == 200
        }
        #expect(try await scene.viewer(ticket).start().reply.status == 200)
        #expect(try await scene.remaining(ticket) == "0")
        try await encoder.stop()
    }
}

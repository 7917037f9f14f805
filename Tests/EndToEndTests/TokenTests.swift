import ControlAPI
import Foundation
import TestSupport
import Testing
import Usher

/// Signed tokens on real video.
@Suite(.serialized) struct TokenTests {
    static let secret = "aabbccddeeff00112233445566778899"
    static let other = "00112233445566778899aabbccddeeff"

    /// A token by another program than ours.
    static func sign(_ fields: String, secret: String = secret, salt: String = "") async throws -> String {
        let message = salt.isEmpty ? fields : "\(fields)~salt=\(salt)"
        let signed = try await ForeignProgram.run([
            "php", "-r", "echo hash_hmac('sha256', $argv[1], hex2bin($argv[2]));", message, secret,
        ])
        guard signed.status == 0, signed.text.utf8.count == 64 else {
            throw ProgramFailure(description: "php: \(signed.errors)")
        }
        return "hdnea=\(fields)~hmac=\(signed.text)"
    }

    static func later(_ seconds: Int) -> Int { Int(Date().timeIntervalSince1970) + seconds }

    @Test("ffmpeg plays HLS and RTMP with a token, and nothing plays without one or with another's")
    func tokensPlay() async throws {
        let scene = try await TokenScene()
        let token = try await Self.sign("exp=\(Self.later(300))~acl=/demo-origin/*~data=ann")
        for url in [scene.origin.playlist("paid", query: "?\(token)"), scene.origin.rtmp("paid", query: "?\(token)")] {
            let played = try await ForeignProgram.run([
                "ffmpeg", "-v", "error", "-nostdin", "-i", url, "-frames:v", "3", "-f", "null", "-",
            ])
            #expect(played.status == 0, "\(played.errors)")
        }
        // On the app as well.
        let player = try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live?\(token)", stream: "paid")
        try await eventually("media") { player.mediaBytes > 0 }
        await player.close()

        let rows = try await scene.log()
        #expect(rows.map { $0.string("success") } == ["1", "1", "1"])
        #expect(rows.map { $0.string("pass") } == ["ann", "ann", "ann"])
        #expect(Set(rows.map { $0.string("key") }).count == 1)
        // What is logged opens nothing.
        #expect(rows.allSatisfy { $0.string("key").wholeMatch(of: /hmac:[0-9a-f]{16}/) != nil })

        let refusals = [
            ("", "Missing Ticket"), ("?key=k&pass=p", "Missing Ticket"), ("?hdnea=nonsense", "Invalid HMAC Token"),
            ("?" + (try await Self.sign("exp=\(Self.later(-1))~acl=/*")), "Invalid HMAC Token"),
            ("?" + (try await Self.sign("acl=/*")), "Invalid HMAC Token"),
            ("?" + (try await Self.sign("st=\(Self.later(60))~exp=\(Self.later(90))~acl=/*")), "Invalid HMAC Token"),
            ("?" + (try await Self.sign("exp=\(Self.later(300))~acl=/demo-origin/play/free/*")), "Invalid HMAC Token"),
            ("?" + (try await Self.sign("ip=192.0.2.1~exp=\(Self.later(300))~acl=/*")), "Invalid HMAC Token"),
            ("?" + (try await Self.sign("exp=\(Self.later(300))~acl=/*", secret: Self.other)), "Invalid HMAC Token"),
            ("?" + (try await Self.sign("exp=\(Self.later(300))~acl=/*", salt: "pepper")), "Invalid HMAC Token"),
        ]
        for (query, reason) in refusals {
            for name in ["playlist", "chunklist"] {
                let url = scene.origin.playlist("paid", query: query).replacing("playlist", with: name)
                let reply = try await Curl.get(url, from: "127.0.0.9")
                #expect(reply.status == 403 && reply.body == "Forbidden.\n", "\(query)")
            }
            let refused = try await RTMPPlayer(
                port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid\(query)")
            try await eventually("an answer") { refused.state != .connecting }
            #expect(refused.state == .refused("NetStream.Play.Failed"), "\(query)")
            await refused.close()
            let newest = try await scene.log(["limit": 1])
            #expect(newest.map { $0.string("reason") } == [reason], "\(query)")
        }
        #expect(try await scene.log(["success": 1]).count == 3)
    }

    @Test("A session rides in the path with the token behind it, or in a cookie")
    func sessions() async throws {
        let scene = try await TokenScene()
        let path = "/demo-origin/play/paid"
        let token = try await Self.sign("ip=127.0.0.5~exp=\(Self.later(300))~acl=\(path)/playlist.m3u8~data=ann")
        let viewer = HLSViewer(url: scene.origin.playlist("paid", query: "?\(token)"), address: "127.0.0.5")
        let master = try await viewer.master()
        #expect(master.status == 200)
        let media = try viewer.media(in: master)
        #expect(media.hasSuffix("chunklist.m3u8?\(token)"))
        let playlist = try await Curl.get(media, from: "127.0.0.5")
        #expect(playlist.status == 200)
        let segment = try HLSViewer.lastSegment(of: playlist, at: media)
        #expect(!segment.contains("hdnea"))
        #expect(try await Curl.get(segment, from: "127.0.0.5").status == 200)
        // The token is one address's, and so is its session.
        #expect(try await Curl.get(segment, from: "127.0.0.6").status == 403)
        #expect(try await Curl.get(media, from: "127.0.0.6").status == 403)
        // An unknown session leads to the running one.
        let lost = media.replacing(HLSViewer.session(in: media), with: String(repeating: "A", count: 27))
        let found = try await Curl.get(lost, from: "127.0.0.5")
        #expect(found.status == 302 && found.redirect == media)

        // A player that keeps cookies needs no address with a token after the first.
        let jar = scene.origin.folder.file("jar")
        func fetch(_ url: String, from address: String = "127.0.0.5") async throws -> String {
            try await ForeignProgram.run([
                "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--interface", address, "-b", jar, "-c", jar,
                url,
            ]).text
        }
        #expect(try await fetch(scene.origin.playlist("paid")) == "403")
        #expect(try await fetch(viewer.url) == "200")
        let kept = try String(contentsOfFile: jar, encoding: .utf8)
        #expect(kept.contains("#HttpOnly_127.0.0.1\tFALSE\t\(path)/\tFALSE\t"))
        #expect(kept.contains("\thdntl\tip=127.0.0.5~exp="))
        #expect(try await fetch(scene.origin.playlist("paid")) == "200")
        #expect(try await fetch(scene.origin.playlist("paid"), from: "127.0.0.6") == "403")
        #expect(try await fetch(scene.origin.playlist("paid").replacing("playlist", with: "chunklist")) == "302")
        #expect(try await fetch(String(media.prefix { $0 != "?" })) == "200")
        // A token in a cookie of the site's own.
        let own = try await Self.sign("exp=\(Self.later(300))~acl=/*")
        #expect(
            try await Curl.get(scene.origin.playlist("paid"), from: "127.0.0.7", headers: ["Cookie: a=b; \(own)"])
                .status
                == 200)
        // All of it was one session.
        #expect(try await scene.log(["success": 1]).map { $0.string("pass") } == ["ann"])
        #expect(try await scene.account.succeed("sevu.sessions").string("total") == "1")
    }

    @Test("A token that runs out ends what plays with it")
    func tokensRunOut() async throws {
        let scene = try await TokenScene()
        let end = Self.later(8)
        let token = try await Self.sign("exp=\(end)~acl=/*")
        let player = try await RTMPPlayer(
            port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid?\(token)")
        try await eventually("media") { player.mediaBytes > 0 }
        let media = try await HLSViewer(url: scene.origin.playlist("paid", query: "?\(token)")).start()
        let segment = try HLSViewer.lastSegment(of: media.reply, at: media.url)
        #expect(try await Curl.get(segment).status == 200)
        try await eventually("the end of the RTMP player") { player.state == .closed }
        #expect(Date().timeIntervalSince1970 >= Double(end))
        #expect(try await Curl.get(segment).status == 403)
        #expect(try await Curl.get(media.url).status == 403)
    }

    @Test("One secret takes another's place while viewers of both watch, and the old one's viewers go with it")
    func rotation() async throws {
        let scene = try await TokenScene()
        let fields = "exp=\(Self.later(300))~acl=/*"
        let old = "?" + (try await Self.sign(fields))
        let new = "?" + (try await Self.sign(fields, secret: Self.other, salt: "pepper"))
        let watching = try await HLSViewer(url: scene.origin.playlist("paid", query: old)).start()
        #expect(watching.reply.status == 200)
        #expect(try await Curl.get(scene.origin.playlist("paid", query: new)).status == 403)

        let both = try await scene.update(["hmac_secrets": [.string(Self.other), .string(Self.secret)]])
        #expect(both["hmac_secrets"] == ["…eeff", "…8899"])
        #expect(both["hmac_salt"] == false)
        let plain = "?" + (try await Self.sign(fields, secret: Self.other))
        for query in [old, plain] {
            #expect(try await Curl.get(scene.origin.playlist("paid", query: query)).status == 200)
        }
        let changed = try await scene.update(["hmac_secrets": .string(Self.other), "hmac_salt": "pepper"])
        #expect(changed["hmac_secrets"] == ["…eeff"])
        #expect(changed["hmac_salt"] == true)
        #expect(!changed.text.contains(Self.other) && !changed.text.contains("pepper"))
        let player = try await RTMPPlayer(port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid" + new)
        try await eventually("media") { player.mediaBytes > 0 }
        // The settings were changed on this server, which has held its sessions against them before it replied.
        #expect(try await Curl.get(watching.url).status == 403)
        #expect(try await Curl.get(scene.origin.playlist("paid", query: plain)).status == 403)
        #expect(player.state == .playing)
        // A ticket's turn: nobody who came with a token stays.
        try await scene.update(["protection": "sevu"])
        try await eventually("the end of the RTMP player") { player.state == .closed }
        #expect(try await Curl.get(scene.origin.playlist("paid", query: new)).status == 403)
    }

    @Test("Secrets lie sealed in the database, each good for its own stream only")
    func sealed() async throws {
        let scene = try await TokenScene()
        try await scene.account.openStream(
            "twin", ["protection": "hmac", "hmac_secrets": .string(Self.other), "hmac_salt": "salt of the twin"])
        let database = "\(scene.origin.folder.path)/data/playhouse.sqlite"
        func sql(_ text: String) async throws -> String {
            try await ForeignProgram.run([
                "python3", "-c",
                "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nfor r in c.execute(sys.argv[2]): print(*r)\nc.commit()",
                database, text,
            ]).text
        }
        let rows = try await sql("SELECT * FROM streams") + sql("SELECT reply FROM replays")
        #expect(rows.contains("twin") && rows.contains("1:"))
        #expect(!rows.contains(Self.secret) && !rows.contains(Self.other) && !rows.contains("salt of the twin"))
        // Whoever can write to the database cannot give a stream another's secret.
        _ = try await sql(
            "UPDATE streams SET sealed_token_secrets = (SELECT sealed_token_secrets FROM streams WHERE stream = 'twin') "
                + "WHERE stream = 'paid'")
        for secret in [Self.secret, Self.other] {
            let token = try await Self.sign("exp=\(Self.later(300))~acl=/*", secret: secret)
            try await eventually("the change") {
                try await Curl.get(scene.origin.playlist("paid", query: "?\(token)")).status == 403
            }
        }
        #expect(scene.origin.logLines("the secrets of tokens cannot be opened") == 1)
        let reply = try await scene.update(["ga_key": "x"])
        #expect(
            reply["warnings"] == [
                "the hmac_secrets cannot be opened with this server's key file, so nobody can watch; set them again"
            ])
        #expect(reply["hmac_secrets"] == [])
    }

    @Test("A stream without secrets takes the app's, and says when there are none")
    func inheritance() async throws {
        let scene = try await TokenScene()
        let token = "?" + (try await Self.sign("exp=\(Self.later(300))~acl=/*", secret: Self.other))
        let none = try await scene.update(["hmac_secrets": "inherit"])
        #expect(none["warnings"] == ["no hmac_secrets are set, for the stream or for the app's *, so nobody can watch"])
        #expect(try await Curl.get(scene.origin.playlist("paid", query: token)).status == 403)
        try await scene.account.openStream("*", ["hmac_secrets": .string(Self.other)])
        #expect(try await Curl.get(scene.origin.playlist("paid", query: token)).status == 200)
        #expect(try await scene.update(["ga_key": "x"])["hmac_secrets"] == ["…eeff"])
    }
}

/// An origin with a stream `paid` on air that asks for tokens.
struct TokenScene {
    let origin: OriginProcess
    let account: TestAccount
    let encoder: TinyEncoder

    init(_ settings: [String] = []) async throws {
        origin = try await OriginProcess(OriginProcess.quick + settings)
        account = try await origin.account()
        encoder = try await origin.publish(
            "paid", as: account, ["protection": "hmac", "hmac_secrets": .string(TokenTests.secret)])
    }

    @discardableResult
    func update(_ fields: JSONObject) async throws -> JSONObject {
        var all: JSONObject = ["app": "demo-origin", "stream": "paid"]
        for member in fields.members { all[member.name] = member.value }
        return try await account.succeed("sevu.updatestream", all)
    }

    /// The rows of `sevu.errorlog`, newest first.
    func log(_ fields: JSONObject = [:]) async throws -> [JSONObject] {
        let reply = try await account.succeed("sevu.errorlog", fields)
        return reply["attempts"]?.arrayValue?.compactMap(\.objectValue) ?? []
    }
}

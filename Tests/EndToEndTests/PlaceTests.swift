import ControlAPI
import Foundation
import TestSupport
import Testing
import Usher

/// Countries and networks on real video, from real addresses: of this machine's, 127.0.0.1 is in Germany, 127.0.0.2 in France,
/// and 127.0.0.3 nowhere.
@Suite(.serialized) struct PlaceTests {
    private static let countries = [
        CountryFile.v4(127, 0, 0, 1, prefix: 32, "DE"), CountryFile.v4(127, 0, 0, 2, prefix: 32, "FR"),
    ]
    private static let noDatabase =
        "there is no country database (usher.country_database), so who is in no network of allow_networks cannot watch"

    private struct Scene {
        let folder: Folder
        let origin: OriginProcess
        let account: TestAccount
        let encoder: TinyEncoder

        var database: String { folder.file("countries.mmdb") }

        init(_ fields: JSONObject, hasDatabase: Bool = true) async throws {
            folder = try Folder()
            if hasDatabase { try CountryFile.write(PlaceTests.countries, to: folder.file("countries.mmdb")) }
            origin = try await OriginProcess(
                OriginProcess.quick + ["usher.country_database: countries.mmdb"], folder: folder)
            account = try await origin.account()
            encoder = try await origin.publish("paid", as: account, fields)
        }

        @discardableResult
        func update(_ fields: JSONObject) async throws -> JSONObject {
            var all: JSONObject = ["app": "demo-origin", "stream": "paid"]
            for member in fields.members { all[member.name] = member.value }
            return try await account.succeed("sevu.updatestream", all)
        }

        /// Who of the three is let in.
        func admitted(_ query: String = "") async throws -> [String] {
            var admitted: [String] = []
            for address in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
                let reply = try await Curl.get(origin.playlist("paid", query: query), from: address)
                #expect(reply.status == 200 || (reply.status == 403 && reply.body == "Forbidden.\n"))
                if reply.status == 200 { admitted.append(address) }
            }
            return admitted
        }

        func log(_ fields: JSONObject = [:]) async throws -> [JSONObject] {
            let reply = try await account.succeed("sevu.errorlog", fields)
            return reply["attempts"]?.arrayValue?.compactMap(\.objectValue) ?? []
        }
    }

    @Test("ffmpeg plays HLS and RTMP from a country that is allowed, and nobody else does")
    func countries() async throws {
        let scene = try await Scene(["protection": "geoip", "allow_countries": "DE"])
        for url in [scene.origin.playlist("paid"), scene.origin.rtmp("paid")] {
            let played = try await ForeignProgram.run([
                "ffmpeg", "-v", "error", "-nostdin", "-i", url, "-frames:v", "3", "-f", "null", "-",
            ])
            #expect(played.status == 0, "\(played.errors)")
        }
        #expect(try await scene.admitted() == ["127.0.0.1"])
        let rows = try await scene.log()
        #expect(
            Set(rows.map { "\($0.string("success")) \($0.string("ip")) \($0.string("reason"))" }) == [
                "1 127.0.0.1 ", "0 127.0.0.2 Country Not Allowed", "0 127.0.0.3 Country Not Allowed",
            ])
        // A session is good where it was opened, and nowhere else.
        let media = try await HLSViewer(url: scene.origin.playlist("paid")).start()
        let segment = try HLSViewer.lastSegment(of: media.reply, at: media.url)
        #expect(try await Curl.get(segment).status == 200)
        for url in [segment, media.url, media.url.replacing(/sess_[^\/]+\//, with: "")] {
            #expect(try await Curl.get(url, from: "127.0.0.2").status == 403)
        }

        let player = try await RTMPPlayer(port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid")
        try await eventually("media") { player.mediaBytes > 0 }
        let shown = try await scene.update(["allow_networks": "127.0.0.2", "deny_countries": "DE"])
        #expect(shown["allow_networks"] == ["127.0.0.2/32"])
        #expect(shown["warnings"] == nil)
        #expect(try await scene.admitted() == ["127.0.0.2"])
        #expect(try await Curl.get(segment).status == 403)
        try await eventually("the end of the RTMP player") { player.state == .closed }
        let refused = try await RTMPPlayer(port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid")
        try await eventually("an answer") { refused.state != .connecting }
        #expect(refused.state == .refused("NetStream.Play.Failed"))
        await refused.close()
    }

    @Test("Tickets and tokens are good from countries that are allowed, and elsewhere charge nothing")
    func besideTickets() async throws {
        let scene = try await Scene(["protection": "sevu", "deny_countries": "FR"])
        let reply = try await scene.account.succeed(
            "sevu.request",
            ["app": "demo-origin", "video": "paid", "pass": "p", "ip": "127.0.0.0/30", "uses": 2, "expire": "+1 day"])
        let key = reply["ticket"]?.objectValue?.string("key") ?? ""
        #expect(try await scene.admitted("?key=\(key)&pass=p") == ["127.0.0.1", "127.0.0.3"])
        #expect(try await scene.admitted("?key=\(key)&pass=wrong") == [])
        #expect(
            try await scene.log(["ip": "127.0.0.2"]).map { $0.string("reason") } == [
                "Invalid Password", "Country Not Allowed",
            ])
        #expect(try await scene.account.succeed("sevu.status", ["key": .string(key)]).string("uses") == "2")

        try await scene.update(["protection": "hmac", "hmac_secrets": .string(TokenTests.secret)])
        let token = try await TokenTests.sign("exp=\(TokenTests.later(300))~acl=/*~data=ann")
        #expect(try await scene.admitted("?\(token)") == ["127.0.0.1", "127.0.0.3"])
        #expect(try await scene.admitted() == [])
        #expect(try await scene.log(["pass": "ann"]).map { $0.string("reason") } == ["Country Not Allowed"])
    }

    @Test("A database that takes another's place holds for those who watch already")
    func replaced() async throws {
        let scene = try await Scene(["protection": "geoip", "allow_countries": ["DE"]])
        let player = try await RTMPPlayer(port: scene.origin.rtmpPort, app: "demo-origin/live", stream: "paid")
        try await eventually("media") { player.mediaBytes > 0 }
        let media = try await HLSViewer(url: scene.origin.playlist("paid")).start()
        #expect(media.reply.status == 200)
        try CountryFile.write([CountryFile.v4(127, 0, 0, 0, prefix: 31, "FR")], to: scene.database)
        try await eventually("the end of the RTMP player") { player.state == .closed }
        #expect(try await Curl.get(media.url).status == 403)
        #expect(try await scene.admitted() == [])
        try FileManager.default.removeItem(atPath: scene.database)
        try CountryFile.write([CountryFile.v4(127, 0, 0, 2, prefix: 31, "DE")], to: scene.database)
        try await eventually("the new database") { try await scene.admitted() == ["127.0.0.2", "127.0.0.3"] }
    }

    @Test("Without a database lists of countries admit nobody, and the check and the command say so")
    func withoutDatabase() async throws {
        let scene = try await Scene(["protection": "geoip"], hasDatabase: false)
        #expect(try await scene.admitted() == [])
        #expect(try await scene.update(["deny_countries": "FR"])["warnings"] == [.string(Self.noDatabase)])
        #expect(try await scene.admitted() == [])
        #expect(try await scene.log(["limit": 1]).map { $0.string("reason") } == ["Country Not Allowed"])
        #expect(scene.origin.logLines("country database not read: streams with lists of countries admit nobody") == 1)
        let check = try await ForeignProgram.run([
            Places.playhouse, "config", "check", "--config", scene.origin.configuration,
        ])
        #expect(check.status == 0)
        #expect(check.text.contains("note: usher.country_database: \(scene.database): No such file or directory"))
        // Networks need none.
        try await scene.update(["deny_countries": "none", "deny_networks": "127.0.0.2/31"])
        #expect(try await scene.admitted() == ["127.0.0.1"])
        try await scene.update(["deny_networks": "none", "deny_countries": "FR"])
        try CountryFile.write(Self.countries, to: scene.database)
        try await eventually("the database") { try await scene.admitted() == ["127.0.0.1", "127.0.0.3"] }
    }
}

import Basics
import Foundation
import Live
import Media
import NIOCore
import RTMP
import Storage
import TestSupport
import Testing
import Usher

@testable import ControlAPI

/// What commands do and what their replies hold.
struct CommandTests {
    // MARK: - Tickets

    @Test("A ticket is requested, found, revoked and no longer good")
    func aTicketFromRequestToRevocation() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let reply = try await api.call(
                "sevu.request",
                [
                    "app": "demo-*", "video": "mystream|mystream_*", "pass": "user123|x", "ip": "auto/24|auto/24",
                    "uses": "5", "expire": "2030-01-31 12:00:00",
                ])
            let key = try #require(reply["ticket"]?["key"]?.stringValue)
            #expect(try #/mystream\.[0-9a-f]{13}[0-9]\.[0-9]{8,}/#.wholeMatch(in: key) != nil)
            let ticket =
                #""key":"\#(key)","pass":"user123|x","ip":"auto\/24|auto\/24","video":"mystream|mystream_*","app":"demo-*","#
                + #""uses":"5","active":"1","created_date":"2023-11-14 22:13:21","expire_date":"2030-01-31 12:00:00","#
                + #""used_date":"0000-00-00 00:00:00""#
            #expect(
                reply.normalized
                    == #"{"code":2000,"message":"ScaleEngine Virtual Usher ticket created","status":"success","#
                    + #""ticket":{\#(ticket)},"handle_time":"T"}"#)

            let status = try await api.call("sevu.status", ["key": .string(key)])
            let shown =
                ticket + #","uses_total":"5","used_count":"0","uses_remaining":"5","ip_bound":"","sessions":"0","#
                + #""max_sessions":"0""#
            #expect(
                status.normalized
                    == #"{"code":2001,"message":"ScaleEngine Virtual Usher ticket found","status":"success","#
                    + #"\#(shown),"ticket":{\#(shown)},"handle_time":"T"}"#)

            let revoked = try await api.call("sevu.revoke", ["key": .string(key)])
            #expect(
                revoked.normalized
                    == #"{"code":2002,"message":"ScaleEngine Virtual Usher ticket revoked","status":"success","handle_time":"T"}"#
            )
            #expect(try await api.call("sevu.status", ["key": .string(key)])["active"] == "0")
        }
    }

    @Test(
        "Every form of expiry sets the ticket's date",
        arguments: [
            ([:], "2023-11-21 22:13:21"), (["expire": ""], "2023-11-21 22:13:21"),
            (["expire": "+2 hours"], "2023-11-15 00:13:21"), (["expires": 1_800_000_000], "2027-01-15 08:00:00"),
            (["expire_date": "Sat, 31 Jan 2026 12:00:00 +0200"], "2026-01-31 10:00:00"),
            (["expire": nil, "expires": "2026-01-31T12:00:00Z"], "2026-01-31 12:00:00"),
        ] as [(JSONObject, JSONValue)])
    func expiry(fields: JSONObject, expected: JSONValue) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            var request: JSONObject = ["app": "*", "video": "*", "pass": "p", "ip": "0.0.0.0/0", "uses": 0]
            for member in fields.members { request[member.name] = member.value }
            let reply = try await api.call("sevu.request", request)
            #expect(reply["ticket"]?["expire_date"] == expected, "\(reply.text)")
        }
    }

    @Test(
        "An address that a field cannot mean is refused with the field's name",
        arguments: [
            ("sevu.request", "fe80::1%eth0", "ip must be an address without a zone such as %eth0, not fe80::1%eth0"),
            (
                "sevu.request", "auto|fe80::1%1",
                "ip must be an address without a zone such as %eth0, not fe80::1%1"
            ),
            (
                "sevu.request", "fe80::%eth0/64",
                "ip must be a CIDR block such as 192.0.2.0/24 or 2001:db8::/32, not fe80::%eth0/64"
            ),
            ("sevu.request", "192.0.2.1\0", "ip must be text without control characters"),
            ("sevu.errorlog", "fe80::1%eth0", "ip must be an IPv4 or IPv6 address or a CIDR block"),
        ])
    func addresses(command: String, ip: String, expected: String) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let reply = try await api.call(
                command, ["app": "demo-origin", "video": "v", "pass": "p", "ip": .string(ip), "uses": 1])
            #expect(reply.code == 7, "\(reply.text)")
            #expect(reply.message?.hasSuffix(": \(expected)") == true, "\(reply.text)")
            #expect(try await api.call("sevu.errorcount").code == 2051)
        }
    }

    @Test(
        "Names with a NUL are refused with the field's name",
        arguments: [
            ("sevu.addstreamuser", "stream"), ("sevu.addstreamuser", "app"), ("sevu.addstreamuser", "user"),
            ("sevu.addstreamuser", "pass"), ("sevu.request", "video"), ("sevu.request", "pass"),
            ("stream.details", "stream"), ("pushpublish.add", "name"), ("log.origin", "stream"),
        ])
    func namesWithNUL(command: String, field: String) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            var fields: JSONObject = [
                "app": "demo-origin", "stream": "mystream", "user": "alice", "pass": "wonderland", "video": "v",
                "ip": "auto", "uses": 1, "inst": "live", "name": "there",
                "service_name": "rtmp", "url": "rtmp://live.example.com/app/key",
            ]
            fields[field] = .string((fields[field]?.stringValue ?? "") + "\0more")
            let reply = try await api.call(command, fields)
            #expect(reply.code == 7, "\(reply.text)")
            #expect(reply.message?.contains("\(field) must be") == true, "\(reply.text)")
        }
    }

    // MARK: - Stream users

    @Test("A stream user is added, listed, changed and removed")
    func aStreamUserFromAddToRemove() async throws {
        try await TestAPI.run(passwordCost: nil) { (api: TestAPI) async throws in
            let added = try await api.call(
                "sevu.addstreamuser",
                [
                    "app": "demo-origin", "stream": "mystream", "user": "alice", "pass": "wonderland", "record": "1",
                    "segment_type": "size", "segment_value": 15, "playlist_timeout": 600, "playlist_count": 6,
                    "enable_dvr": true,
                ])
            #expect(added["streamuser_id"] == 1)
            #expect(added["stream_id"] == 1)
            #expect(added["origin_url"] == "rtmp://origin.example/demo-origin/live")
            #expect(
                added["playback_url"] == "http://origin.example:8080/demo-origin/play/mystream/playlist.m3u8")
            #expect(!added.text.contains("wonderland"))
            let user = try #require(try await api.store.streamUser(id: 1))
            #expect(Password.verify("wonderland", hash: user.passwordHash ?? ""))
            #expect(user.passwordHash?.hasPrefix("$2b$10$") == true)
            #expect(user.sealedChallengeVerifier?.contains("wonderland") == false)

            let retrieved = try await api.call("sevu.retrievestreamuser", ["streamuser_id": "1"])
            for (name, value) in [
                ("user", "alice"), ("authentication", true), ("reconnect_window", 600), ("playlist_count", 6),
                ("record", true), ("segment_type", "size"), ("segment_value", "15"), ("enable_dvr", true),
                ("protection", "none"), ("ga_key", nil),
            ] as [(String, JSONValue)] {
                #expect(retrieved[name] == value, "\(name)")
            }
            let updated = try await api.call(
                "sevu.updatestream", ["app": "demo-origin", "stream": "mystream", "protection": "sevu", "record": 0])
            #expect(updated["protection"] == "sevu")
            #expect(updated["record"] == false)
            #expect(updated["playlist_count"] == 6)
            #expect(try await api.admissions.protection(app: "demo-origin", stream: "mystream", account: nil) == .sevu)

            let name: JSONObject = ["app": "demo-origin", "stream": "mystream", "user": "alice"]
            #expect(try await api.call("sevu.removestreamuser", name).code == 2103)
            #expect(try await api.call("sevu.removestreamuser", name).code == 2140)
        }
    }

    @Test("Secrets of tokens are set, shown by their last digits, and taken away")
    func tokenSecrets() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let (one, other) = ("AABBCCDDEEFF00112233445566778899", "00112233445566778899aabbccddeeff")
            func set(_ fields: JSONObject) async throws -> TestReply {
                var all: JSONObject = ["app": "demo-origin", "stream": "show"]
                for member in fields.members { all[member.name] = member.value }
                return try await api.call("sevu.updatestream", all)
            }
            let added = try await api.call(
                "sevu.addstreamuser",
                ["app": "demo-origin", "stream": "show", "user": nil, "pass": nil, "protection": "hmac"])
            #expect(added["protection"] == "hmac")
            #expect(
                added["warnings"] == ["no hmac_secrets are set, for the stream or for the app's *, so nobody can watch"]
            )
            let salted = try await set(["hmac_salt": "pepper"])
            #expect(salted.code == 7)
            #expect(salted.text.contains("hmac_salt goes with hmac_secrets of the stream's own, and it has none"))

            let lists: [(JSONValue, JSONValue)] = [
                (.string(one), ["…8899"]), (.string("\(one), \(other)"), ["…8899", "…eeff"]),
                ([.string(other), .string(one)], ["…eeff", "…8899"]),
            ]
            for (given, shown) in lists {
                let reply = try await set(["hmac_secrets": given])
                #expect(reply["hmac_secrets"] == shown)
                #expect(reply["warnings"] == nil)
                #expect(!reply.text.lowercased().contains(one.lowercased()) && !reply.text.contains(other))
            }
            #expect(try await set(["hmac_salt": "pepper"])["hmac_salt"] == true)
            #expect(try await set(["ga_key": "x"])["hmac_salt"] == true)
            let rows = try await api.store.streamSettings(app: "demo-origin", stream: "show")
            let rule = try rows.first?.tokenRule(with: api.secret)
            #expect(rule?.secrets.map(\.hint) == ["…eeff", "…8899"] && rule?.salt == "pepper")
            #expect(try await set(["hmac_salt": ""])["hmac_salt"] == false)
            #expect(try await set(["hmac_secrets": "inherit"])["hmac_secrets"] == [])

            let nine = JSONValue.array((1...9).map { .string(String(repeating: "0\($0)", count: 16)) })
            for wrong in [
                "abc", .string(String(one.dropLast(2))), .string("zz" + one.dropFirst(2)), .string(one + "0"),
                .string("\(one),\(one)"), .array([]), nine, 5,
            ] as [JSONValue] {
                let reply = try await set(["hmac_secrets": wrong])
                #expect(reply.code == 7)
                #expect(reply.text.contains("hmac_secrets must be 1 to 8 different secrets"))
                #expect(!reply.text.contains(one.dropLast(2)))
            }
        }
    }

    @Test("Lists of countries and networks are set, shown and taken away, and inherited one by one")
    func placeLists() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            func set(_ stream: String, _ fields: JSONObject) async throws -> TestReply {
                var all: JSONObject = ["app": "demo-origin", "stream": .string(stream)]
                for member in fields.members { all[member.name] = member.value }
                return try await api.call("sevu.updatestream", all)
            }
            for stream in ["*", "show"] {
                let added = try await api.call(
                    "sevu.addstreamuser",
                    ["app": "demo-origin", "stream": .string(stream), "user": nil, "pass": nil, "protection": "geoip"])
                #expect(
                    added["warnings"] == [
                        "no countries or networks are set, for the stream or for the app's *, so nobody can watch"
                    ])
            }
            let all = try await set("*", ["allow_countries": "de, fr|AT", "deny_networks": ["10.0.0.0/8", "::1"]])
            #expect(all["allow_countries"] == ["DE", "FR", "AT"])
            #expect(all["deny_networks"] == ["10.0.0.0/8", "::1/128"])
            #expect(
                all["warnings"] == [
                    "there is no country database (usher.country_database), so who is in no network of allow_networks cannot watch"
                ])
            let own = try await set("show", ["deny_countries": ["CH"], "deny_networks": "none"])
            #expect(own["allow_countries"] == ["DE", "FR", "AT"])
            #expect(own["deny_countries"] == ["CH"])
            #expect(own["deny_networks"] == [])
            let inherited = try await set("show", ["deny_networks": "inherit", "allow_networks": "192.0.2.7"])
            #expect(inherited["deny_networks"] == ["10.0.0.0/8", "::1/128"])
            #expect(inherited["allow_networks"] == ["192.0.2.7/32"])
            #expect(
                try await set("show", ["protection": "none"])["warnings"] == [
                    "protection is none, so the lists of countries and networks are not looked at"
                ])

            let countries =
                "must be up to 512 ISO 3166-1 country codes such as DE (Great Britain's is GB), or none, or inherit"
            let networks = "must be up to 512 IPv4 or IPv6 addresses or CIDR blocks, or none, or inherit"
            for (field, value, expected) in [
                ("allow_countries", "UK", countries), ("deny_countries", ["DE", "Germany"], countries),
                ("allow_networks", "10.0.0.0/33", networks), ("deny_networks", [5], networks),
                ("allow_countries", .array((0..<513).map { _ in "DE" }), countries),
            ] as [(String, JSONValue, String)] {
                let reply = try await set("show", [field: value])
                #expect(reply.code == 7)
                #expect(reply.text.contains("\(field) \(expected)"), "\(reply.text)")
            }
        }
    }

    @Test("Many tickets are made at once, for passes in a list or in lines, all or none")
    func manyTickets() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            func make(_ passes: JSONValue, _ more: JSONObject = [:]) async throws -> TestReply {
                var fields: JSONObject = [
                    "app": "demo-origin", "video": "show", "ip": "auto", "uses": 1, "expire": "+1 day",
                    "passes": passes,
                ]
                for member in more.members { fields[member.name] = member.value }
                return try await api.call("sevu.requestmany", fields, key: api.seller)
            }
            func passes(_ reply: TestReply) -> [JSONValue?] {
                (reply["tickets"]?.arrayValue ?? []).map { $0.objectValue?["pass"] }
            }
            let listed = try await make(["ann", "bob"])
            #expect(listed.code == 2005)
            #expect(passes(listed) == ["ann", "bob"])
            #expect(passes(try await make("carl\n\ndora\r\n")) == ["carl", "dora"])
            let thousand = (0..<1_000).map { "viewer\($0)" }.joined(separator: "\n")
            // More than this test's parser takes.
            #expect(try await make(.string(thousand)).text.components(separatedBy: "\"pass\":\"viewer").count == 1_001)
            #expect(try await api.store.ticketChanges(after: 0, limit: 5_000).count == 1_004)

            for (passes, code) in [
                (.string(thousand + "\nmore"), 7), ([], 7), (nil, 6), ("", 6), ([""], 7), (["a", 1], 7), (5, 7),
                (["a\u{1}"], 7), (.array([.string(String(repeating: "x", count: 256))]), 7),
            ] as [(JSONValue, Int)] {
                #expect(try await make(passes).code == code, "\(passes)")
            }
            #expect(try await make(["a"], ["app": "other-origin"]).code == 7)
            #expect(try await api.store.ticketChanges(after: 0, limit: 5_000).count == 1_004)
            #expect(
                try await api.call("sevu.requestmany", ["passes": ["a"]]).message == """
                    One or more required fields are missing: app, video, ip, uses
                    """)
        }
    }

    @Test("A ticket is changed, its player judged anew, and found in the list")
    func changedTickets() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let made = try await api.call(
                "sevu.request",
                [
                    "app": "demo-origin", "video": "show", "pass": "ann", "ip": "0.0.0.0/0", "uses": 2,
                    "expire": "+1 day",
                ])
            let key = try #require(made["ticket"]?.objectValue?["key"])
            let facts = ViewerFacts(
                key: key.stringValue, pass: "ann", address: "192.0.2.1", app: "demo-origin", instance: "play",
                video: "show")
            let session = try #require(try await api.admissions.admit(facts, session: nil).grant)

            let longer = try await api.call("sevu.update", ["key": key, "expire": "+3 days", "uses": 5])
            #expect(longer.code == 2004)
            #expect(longer["uses"] == "4" && longer["uses_total"] == "5" && longer["sessions"] == "1")
            #expect(longer["expire_date"] == .string("2023-11-17 22:13:22"))
            #expect(api.admissions.isRunning(session))
            let few = try await api.call("sevu.update", ["key": key, "uses": 0])
            #expect(few["uses_remaining"] == "")

            // Whoever plays goes on when fewer may.
            let limited = try await api.call("sevu.update", ["key": key, "max_sessions": 1])
            #expect(limited["max_sessions"] == "1" && limited["sessions"] == "1")
            var elsewhere = facts
            elsewhere.address = "198.51.100.1"
            #expect(try await api.admissions.admit(elsewhere, session: nil) == .refused(.noUsesRemaining))
            #expect(try await api.call("sevu.update", ["key": key, "max_sessions": "2"])["max_sessions"] == "2")
            #expect(try await api.admissions.admit(elsewhere, session: nil).grant != nil)
            #expect(try await api.call("sevu.update", ["key": key, "max_sessions": -1]).code == 7)

            // A change that does not cover its viewer any more ends what plays.
            #expect(try await api.call("sevu.update", ["key": key, "video": "film"]).code == 2004)
            #expect(!api.admissions.isRunning(session))
            #expect(try await api.admissions.admit(facts, session: session) == .refused(.videoNotAllowed))

            #expect(try await api.call("sevu.update", ["key": "none", "uses": 1]).code == 2040)
            #expect(try await api.call("sevu.update", ["key": key, "uses": 1], key: api.other).code == 2040)
            #expect(try await api.call("sevu.update", ["key": key, "app": "other-*", "ip": "x"]).code == 7)
            #expect(try await api.call("sevu.update", ["key": key]).code == 2004)

            for number in 0..<3 {
                try await api.call(
                    "sevu.request",
                    ["app": "demo-origin", "video": "s\(number)", "pass": "bob", "ip": "auto", "uses": 1])
                api.clock.advance(1)
            }
            let page = try await api.call("sevu.list", ["pass": "bob", "limit": 2])
            #expect(page.code == 2003)
            #expect((page["tickets"]?.arrayValue ?? []).map { $0.objectValue?["video"] } == ["s0", "s1"])
            let rest = try await api.call("sevu.list", ["pass": "bob", "limit": 2, "position": page["next"] ?? .null])
            #expect((rest["tickets"]?.arrayValue ?? []).map { $0.objectValue?["video"] } == ["s2"])
            #expect(rest["next"] == "")
            #expect(try await api.call("sevu.list", ["video": "film"])["tickets"]?.arrayValue?.count == 1)
            #expect(try await api.call("sevu.list", key: api.other)["tickets"] == [])
        }
    }

    @Test(
        "Players' addresses begin with the public URL where there is one",
        arguments: [
            ("", 8080, "http://origin.example:8080"), ("", 80, "http://origin.example"),
            ("https://live.example.com/tv", 8080, "https://live.example.com/tv"),
        ])
    func publicURL(url: String, port: Int, base: String) {
        let addresses = PublicAddresses(host: "origin.example", rtmpPort: 1935, httpPort: port, publicURL: url)
        #expect(
            addresses.playlistURL(app: "demo-origin", stream: "s") == "\(base)/demo-origin/play/s/playlist.m3u8")
    }

    @Test("Fields that a command does not know are named in the reply, but for the replies that are fixed to the byte")
    func ignoredFields() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let listed = try await api.call("app.list", ["request_id": "7", "fliter": 1, "Limit": "9", "x": nil])
            #expect(listed["ignored"] == ["fliter", "Limit", "x"])
            #expect(try await api.call("app.list", ["request_id": "7"])["ignored"] == nil)
            // Names that older clients use are known.
            let ticket: JSONObject = [
                "app": "demo-origin", "video": "s", "pass": "p", "ip": "auto", "uses": 1, "expires": "+1 hour",
            ]
            #expect(try await api.call("sevu.request", ticket)["ignored"] == nil)
            #expect(try await api.call("sevu.errorcount", ["odd": 1])["ignored"] == nil)
            var many: JSONObject = [:]
            for number in 0..<100 { many["field\(number)"] = .int(number) }
            #expect(try await api.call("app.list", many)["ignored"]?.arrayValue?.count == 32)
        }
    }

    @Test("A stream that is added without a word on protection has its app's, before and after that is set")
    func protectionIsInherited() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            func add(_ stream: String, _ more: JSONObject = [:]) async throws -> JSONValue? {
                var fields: JSONObject = ["app": "demo-origin", "stream": .string(stream), "user": "enc", "pass": "x"]
                for member in more.members { fields[member.name] = member.value }
                return try await api.call("sevu.addstreamuser", fields)["protection"]
            }
            func set(_ stream: String, _ protection: String) async throws -> JSONValue? {
                try await api.call(
                    "sevu.updatestream",
                    ["app": "demo-origin", "stream": .string(stream), "protection": .string(protection)])["protection"]
            }
            #expect(try await add("early") == "none")
            #expect(try await add("*", ["protection": "sevu"]) == "sevu")
            #expect(try await add("vip") == "sevu")
            #expect(try await add("public", ["protection": "none"]) == "none")
            // What holds, seen from the door as well.
            for (stream, protection) in [
                ("early", Protection.sevu), ("vip", .sevu), ("public", .open), ("other", .sevu),
            ] {
                #expect(
                    try await api.admissions.protection(app: "demo-origin", stream: stream, account: nil) == protection)
            }
            let users = try await api.call("sevu.liststreamusers")["stream_users"]?.arrayValue ?? []
            #expect(users.map { $0.objectValue?["protection"] } == ["sevu", "sevu", "sevu", "none"])
            let early = try await api.call(
                "sevu.retrievestreamuser", ["app": "demo-origin", "stream": "early", "user": "enc"])
            #expect(early["protection"] == "sevu")

            #expect(try await set("vip", "none") == "none")
            #expect(try await set("vip", "inherit") == "sevu")
            #expect(try await set("*", "none") == "none")
            #expect(try await api.admissions.protection(app: "demo-origin", stream: "vip", account: nil) == .open)
        }
    }

    @Test("A stream user with null for user and pass lets anybody publish")
    func nullsLetAnybodyPublish() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let open: JSONObject = ["app": "demo-origin", "stream": "*", "user": nil, "pass": nil]
            #expect(try await api.call("sevu.addstreamuser", open).code == 2100)
            #expect(try await api.call("sevu.addstreamuser", open).code == 2141)
            let row = try #require(try await api.call("sevu.liststreamusers")["stream_users"]?.arrayValue?.first)
            #expect(row["user"] == .null)
            #expect(row["authentication"] == false)
            let named: JSONObject = ["app": "demo-origin", "stream": "*", "user": nil]
            #expect(try await api.call("sevu.removestreamuser", named).code == 2103)
        }
    }

    // MARK: - Streams

    @Test("A stream on air is described")
    func aStreamOnAirIsDescribed() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let publication = try await api.publish("mystream")
            let metadata = AMFValue.ecmaArray([
                "width": .number(1280), "height": .number(720), "encoder": .string("OBS/é"),
                "videodatarate": .number(2500.5),
            ])
            publication.send(StreamSample(.data, timestamp: 0, body: ByteBuffer(), metadata: metadata))
            try await api.call(
                "pushpublish.connect",
                [
                    "service_name": "rtmp", "url": "rtmp://live.example.com:1/app/secretkey", "app": "demo-origin",
                    "stream": "mystream", "entry_name": "tv",
                ])
            let details = try await api.call(
                "stream.details", ["app": "demo-origin", "inst": "live", "stream": "mystream"])
            let stream = try #require(details["stream"])
            for (name, value) in [
                ("name", "mystream"), ("app", "demo-origin"), ("inst", "live"), ("type", "live"), ("state", "live"),
                ("isRecording", "false"), ("connect_time", "2023/11/14 22:13:20"), ("width", 1280), ("height", 720),
                ("viewers", 0), ("transcoders", []), ("transcoder_count", 0), ("last_chunk_id", 0),
                (
                    "encoder",
                    ["address": "192.0.2.9", "software": "FMLE/3.0", "protocol": "rtmp", "user": "alice"]
                ),
                ("codec", ["audio": "", "audio_type": "", "video": "", "video_type": ""]),
                ("metadata", ["width": 1280, "height": 720, "encoder": "OBS/é", "videodatarate": 2500.5]),
            ] as [(String, JSONValue)] {
                #expect(stream[name] == value, "\(name)")
            }
            let push = try #require(stream["pushpublish"]?.arrayValue?.first)
            #expect(push["entry_name"] == "tv")
            #expect(push["stream"] == "mystream")
            #expect(push["profile"] == "rtmp")
            #expect(push["push_service_id"] == .null)
            #expect(push["destination"] == "rtmp://live.example.com:1/app/****tkey")
            #expect(!details.text.contains("secretkey"))
            let list = try await api.call("stream.active", ["app": "demo-live", "inst": "live"])
            #expect(list["streams"]?.arrayValue?.map { $0["name"] } == ["mystream"])
            #expect(try await api.call("stream.active", ["app": "demo-origin", "inst": "x"])["streams"] == [])
            // What stands behind a slash is no part of an app.
            #expect(try await api.call("stream.active", ["app": "demo-origin/live", "inst": "live"])["code"] == 7)
        }
    }

    @Test("A stream's two encoders are told apart, and are one stream; which of them comes on air is an event")
    func twoEncoders() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let primary = try await api.publish("mystream")
            _ = try await api.publish("mystream", role: .backup)
            let stream: [String: JSONValue] = ["app": "demo-origin", "inst": "live", "stream": "mystream"]
            func encoders() async throws -> [[JSONValue?]] {
                let details = try await api.call("stream.details", JSONObject(stream.map { .init($0.key, $0.value) }))
                return (details["stream"]?["encoders"]?.arrayValue ?? []).map {
                    [$0["role"], $0["on_air"], $0["user"]]
                }
            }
            #expect(try await encoders() == [["primary", true, "alice"], ["backup", false, "alice"]])
            primary.end(isOrderly: false)
            try await eventually("the backup on air") { try await encoders() == [["backup", true, "alice"]] }
            let list = try await api.call("stream.active", ["app": "demo-origin", "inst": "live"])
            #expect(list["streams"]?.arrayValue?.map { $0["state"] } == ["live"])
        }
    }

    @Test("Closing a stream ends it")
    func closingAStreamEndsIt() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await api.call("sevu.addstreamuser", ["app": "demo-origin", "stream": "s", "user": "u", "pass": "p"])
            _ = try await api.publish("s")
            #expect(try await api.call("stream.close", ["stream_id": "1"]).code == 2202)
            #expect(try await api.call("stream.close", ["stream_id": "1"]).code == 2240)
            #expect(try await api.call("stream.close", ["stream_id": "2"]).code == 2142)
        }
    }

    // MARK: - Pushes

    @Test("A stored push is added, listed, changed and removed")
    func aStoredPushFromAddToRemove() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let added = try await api.call(
                "pushpublish.add",
                [
                    "service_name": "rtmp", "name": "tv", "dst_host": "live.example.com", "dst_app": "app",
                    "dst_stream": "secretkey", "username": "me", "password": "wonderland", "app": "demo-origin",
                    "stream": "s", "autopush": "1", "unknown": "x",
                ])
            #expect(added["push_service_id"] == 1)
            let row = try #require(try await api.call("pushpublish.services")["services"]?.arrayValue?.first)
            for (name, value) in [
                ("push_service_id", 1), ("name", "tv"), ("service_name", "rtmp"), ("app", "demo-origin"),
                ("inst", "live"),
                ("stream", "s"), ("autopush", true), ("push_source", true), ("dst_host", "live.example.com"),
                ("dst_stream", "****tkey"), ("dst_pass", "****land"), ("dst_user", "me"), ("adaptive_group", nil),
            ] as [(String, JSONValue)] {
                #expect(row[name] == value, "\(name)")
            }
            for (filters, count) in [
                (["service_name": "rtmp"], 1), (["service_name": "facebook"], 0), (["push_service_id": "1"], 1),
                (["autopush": 1, "stream": "s"], 1), (["autopush": false], 0), ([:], 1),
            ] as [(JSONObject, Int)] {
                let list = try await api.call("pushpublish.services", ["filters": .object(filters)])
                #expect(list["services"]?.arrayValue?.count == count, "\(filters)")
            }
            #expect(
                try await api.call(
                    "pushpublish.update", ["push_service_id": 1, "autopush": 0, "stream": nil, "name": "two"]
                ).code == 2301)
            let push = try #require(try await api.store.push(id: 1, accountID: 158))
            #expect(push.autopush == false)
            #expect(push.stream == nil)
            #expect(push.name == "two")
            #expect(push.destination["dst_stream"] == "secretkey")
            let bad = try await api.call("pushpublish.update", ["push_service_id": 1, "dst_port": "x"])
            #expect(bad.code == 6 || bad.code == 7)
            #expect(try await api.store.push(id: 1, accountID: 158) == push)
            #expect(try await api.call("pushpublish.remove", ["push_service_id": "1"]).code == 2302)
            #expect(try await api.call("pushpublish.remove", ["push_service_id": "1"]).code == 2341)
        }
    }

    @Test("A change of one field of a destination leaves the others, those of a preset included")
    func oneFieldOfADestination() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            func add(_ fields: JSONObject) async throws {
                #expect(try await api.call("pushpublish.add", fields).code == 2300)
            }
            func destination(_ id: Int64) async throws -> [String: String]? {
                try await api.store.push(id: id, accountID: 158)?.destination
            }
            try await add([
                "service_name": "youtube", "dst_host": "b.rtmp.youtube.com", "dst_app": "live3", "dst_stream": "old",
            ])
            try await add(["service_name": "rtmp", "url": "rtmp://a.example.com/app", "dst_stream": "old"])
            try await add(["service_name": "rtmp", "url": "rtmp://a.example.com/app/old"])
            for id in 1...2 {
                let reply = try await api.call(
                    "pushpublish.update", ["push_service_id": .int(id), "dst_stream": "new"])
                #expect(reply.code == 2301)
            }
            #expect(
                try await destination(1)
                    == ["dst_host": "b.rtmp.youtube.com", "dst_app": "live3", "dst_stream": "new"])
            #expect(try await destination(2) == ["url": "rtmp://a.example.com/app", "dst_stream": "new"])
            // The stream of the third stands in its URL.
            let refused = try await api.call("pushpublish.update", ["push_service_id": 3, "dst_stream": "new"])
            #expect(refused.code == 7)
            #expect(refused.message?.contains("dst_stream must be given within url") == true)
            #expect(try await destination(3) == ["url": "rtmp://a.example.com/app/old"])

            // Given with nothing in it a field is taken away; a URL says everything anew.
            #expect(try await api.call("pushpublish.update", ["push_service_id": 1, "dst_app": nil]).code == 2301)
            #expect(try await destination(1) == ["dst_host": "b.rtmp.youtube.com", "dst_stream": "new"])
            #expect(
                try await api.call("pushpublish.update", ["push_service_id": 2, "url": "rtmp://b.example.com/x/y"]).code
                    == 2301)
            #expect(try await destination(2) == ["url": "rtmp://b.example.com/x/y"])
            // Another service begins anew too.
            #expect(
                try await api.call(
                    "pushpublish.update", ["push_service_id": 1, "service_name": "twitch", "dst_stream": "key"]
                ).code == 2301)
            #expect(try await destination(1) == ["dst_stream": "key"])
        }
    }

    @Test("A push session outlives its stored push")
    func aSessionOutlivesItsStoredPush() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            try await api.call(
                "pushpublish.add", ["service_name": "rtmp", "name": "tv", "url": "rtmp://live.example.com/app/key"])
            let reply = try await api.call(
                "pushpublish.connect", ["push_service_id": "1", "app": "demo-origin", "stream": "s"])
            #expect(reply["entry_name"] == "tv")
            try await api.call("pushpublish.remove", ["push_service_id": 1])
            let disconnect = try await api.call("pushpublish.disconnect", ["push_service_id": 1])
            #expect(disconnect.message == "tv disconnected")
        }
    }

    // MARK: - The origin

    @Test("The origin describes itself")
    func theOriginDescribesItself() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let status = try await api.call("server.status", ["origin_url": "demo-origin.secdn.net"])
            #expect(status["server"] == "origin.example")
            #expect(status["version"] == "1.0")
            #expect(status["uptime"] == 1)
            #expect(status["streams"] == 0)
            let apps = try await api.call("app.list")["apps"]?.arrayValue ?? []
            #expect(apps.map { $0["name"] } == ["demo-origin", "demo-chorigin", "demo-vod"])
            #expect(apps.first?["origin_url"] == "rtmp://origin.example/demo-origin/live")
            try await api.store.recordEvent(
                OriginEvent(
                    accountID: 158, date: api.clock.now, kind: .publish, app: "demo-origin", instance: "live",
                    stream: "s",
                    isAuthenticated: true, user: "alice", address: "192.0.2.9", metadata: ["b": "2", "a": "1"]))
            let log = try await api.call("log.origin", ["app": "demo-origin", "stream": "s", "limit": "5"])
            #expect(
                log["events"] == [
                    [
                        "id": "1", "datetime": "2023-11-14 22:13:22", "event": "publish", "app": "demo-origin",
                        "inst": "live", "stream": "s", "authenticated": true, "user": "alice", "ip": "192.0.2.9",
                        "metadata": ["a": "1", "b": "2"],
                    ]
                ])
            #expect(try await api.call("log.origin", ["app": "demo-origin", "offset": 1])["events"] == [])
        }
    }

    @Test("The program's own commands need no signature")
    func commandsRunWithoutASignatureForThisMachine() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let account = try #require(try await api.store.account(id: 158))
            #expect(await api.service.perform("app.list", account: account, fields: [:]).code == .appsListed)
            #expect(await api.service.perform("x", account: account, fields: [:]).code == .unrecognizedCommand)
            #expect(
                await api.service.perform("sevu.status", account: account, fields: [:]).code == .requiredFieldsMissing)
        }
    }
}

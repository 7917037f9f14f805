import Basics
import Foundation
import Live
import Storage
import Testing

@testable import ControlAPI

/// What was delivered and who watches, as the commands give it. The clock stands at 2023-11-14 22:13:20 and goes on by a second
/// with each call.
struct UsageCommandTests {
    private static let show = StreamAddress(app: "demo-origin", instance: "live", stream: "show")
    private static let paid = StreamAddress(app: "demo-origin", instance: "live", stream: "paid_360p")
    private static let film = StreamAddress(app: "demo-vod", instance: "live", stream: "film.mp4")

    private func meter(_ api: TestAPI, _ address: StreamAddress, accountID: AccountID = 158) -> DeliveryMeter {
        api.meters.meter(of: .init(accountID: accountID, address: address))
    }

    /// 1,500,000 and 500 bytes of `show` over HLS and RTMP, 40,000 of `paid_360p`, 7 of `film.mp4`, and a stranger's.
    private func deliver(_ api: TestAPI) {
        meter(api, Self.show).count(hls: 1_500_000, stripe: 0)
        meter(api, Self.show).count(rtmp: 500)
        meter(api, Self.paid).count(hls: 40_000, stripe: 1)
        meter(api, Self.film).count(hls: 7, stripe: 2)
        meter(
            api, StreamAddress(app: "other-origin", instance: "live", stream: "show"), accountID: 200
        ).count(hls: 1_000_000_000, stripe: 3)
    }

    private func data(_ reply: TestReply) -> String {
        reply["data"].map { String(decoding: JSONWriter.write(JSONValue.object(["data": $0])), as: UTF8.self) }
            ?? reply.text
    }

    @Test("A month's summary is a table: headings, what HLS and RTMP viewers were sent, the total")
    func summary() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            deliver(api)
            let table = """
                {"data":[["Usage Type","Usage"],["VSE (HLS)",{"v":1540007,"f":"1.54 MB"}],\
                ["VSN (RTMP)",{"v":500,"f":"500 B"}],["Total",{"v":1540507,"f":"1.54 MB"}]]}
                """
            // Counted at once, and neither lost nor counted twice when it is written.
            #expect(data(try await api.call("usage.summary")) == table)
            await api.usage.write()
            #expect(data(try await api.call("usage.summary", key: api.reader)) == table)
            #expect(data(try await api.call("usage.summary", ["starttime": "2023-11-01"])) == table)
            let before = data(try await api.call("usage.summary", ["starttime": "2023-10-31"]))
            #expect(before.hasSuffix("[\"Total\",{\"v\":0,\"f\":\"0 B\"}]]}"))
        }
    }

    @Test("A month's data are numbers with what they come to at its end, and cost nothing")
    func monthData() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            deliver(api)
            // Half of November is over; the call itself takes the clock on by a second.
            api.clock.set(Date(timeIntervalSince1970: 1_700_092_800 - 1))
            #expect(
                data(try await api.call("usage.data")) == """
                    {"data":[{"type":"vse","unit":"bytes","usage":1540007,"rate":0,"cost":0,"estimated_usage":3080014,\
                    "estimated_cost":0},{"type":"vsn","unit":"bytes","usage":500,"rate":0,"cost":0,\
                    "estimated_usage":1000,"estimated_cost":0},{"type":"viewer_minutes","unit":"minutes","usage":0,\
                    "rate":0,"cost":0,"estimated_usage":0,"estimated_cost":0}]}
                    """)
            // A month that is over is what it was.
            api.clock.set(Date(timeIntervalSince1970: 1_704_000_000))
            let past = data(try await api.call("usage.data", ["starttime": "2023-11-01"]))
            #expect(past.contains("\"usage\":1540007,\"rate\":0,\"cost\":0,\"estimated_usage\":1540007"))
        }
    }

    @Test("Streams come with what each was sent, the most first, by app, name, day, way and page")
    func streams() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            deliver(api)
            func rows(_ command: String, _ fields: JSONObject = [:]) async throws -> String {
                var all: JSONObject = ["app": "demo-origin", "year": 2023, "month": "11"]
                for member in fields.members { all[member.name] = member.value }
                return data(try await api.call(command, all))
            }
            let show = #"{"app":"demo-origin","inst":"live","url":"show","bytes":1500500,"viewer_minutes":0}"#
            let paid = #"{"app":"demo-origin","inst":"live","url":"paid_360p","bytes":40000,"viewer_minutes":0}"#
            let film = #"{"app":"demo-vod","inst":"live","url":"film.mp4","bytes":7,"viewer_minutes":0}"#
            for command in ["usage.all", "video.usage"] {
                #expect(try await rows(command) == "{\"data\":[\(show),\(paid)]}")
            }
            #expect(
                try await rows("usage.vse")
                    == "{\"data\":[\(show.replacing("1500500", with: "1500000")),\(paid)]}")
            let both: JSONValue = ["demo-live", "demo-vod"]
            #expect(try await rows("usage.all", ["app": both]) == "{\"data\":[\(show),\(paid),\(film)]}")
            #expect(try await rows("usage.all", ["url": "mp4:show"]) == "{\"data\":[\(show)]}")
            #expect(try await rows("usage.all", ["url": "sho*|nothing"]) == "{\"data\":[\(show)]}")
            #expect(try await rows("usage.all", ["url": "_root_", "day": 14]) == "{\"data\":[\(show),\(paid)]}")
            #expect(try await rows("usage.all", ["day": "15"]) == "{\"data\":[]}")
            #expect(try await rows("usage.all", ["month": 10]) == "{\"data\":[]}")
            #expect(try await rows("video.usage", ["limit": 1, "offset": 1]) == "{\"data\":[\(paid)]}")
            let wrong = try await api.call("usage.all", ["app": "demo-origin", "year": 2023, "month": 11, "day": 31])
            #expect(wrong.code == 7)
            #expect(wrong.message == "One or more fields are not valid: day must be a day of the month")
        }
    }

    @Test(
        "Each command answers with the code of its family",
        arguments: [
            ("usage.summary", 2706), ("usage.data", 2706), ("usage.all", 2707), ("usage.vse", 2707),
            ("video.usage", 2707),
            ("video.cdn", 2707), ("video.cdnlong", 2707), ("video.servers", 2707), ("video.streams", 2708),
            ("video.getapps", 2709), ("disk.usage", 2710), ("vsn.viewercount", 2703), ("viewer.live", 2704),
            ("viewer.livedetailed", 2704), ("vsn.viewerhistorybyname", 2705),
        ])
    func codes(command: String, code: Int) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let fields: JSONObject = ["app": "demo-origin", "url": "show", "year": 2023, "month": 11]
            let reply = try await api.call(command, fields)
            #expect(reply.code == code, "\(reply.text)")
        }
    }

    @Test("Days come one by one, also those without any, and by server")
    func days() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            deliver(api)
            await api.usage.write()
            // Another node has written to the same database.
            try await api.store.addUsage(
                [
                    UsageKey(
                        accountID: 158, day: 19_675, app: "demo-origin", stream: "show", instance: "live",
                        delivery: .hls, server: "b.example"): UsageAmount(bytes: 5, viewerTime: 90_000)
                ], viewers: [:])
            let app: JSONObject = ["app": "demo-origin"]
            let month = try await api.call("video.cdn", app)["data"]?.arrayValue ?? []
            #expect(month.count == 30)
            #expect(month.first == ["date": "2023-10-16", "bytes": 0, "viewer_minutes": 0])
            #expect(month.last == ["date": "2023-11-14", "bytes": 1_540_505, "viewer_minutes": 2])
            let quarter = try await api.call("video.cdnlong", app)["data"]?.arrayValue ?? []
            #expect(quarter.count == 90)
            #expect(quarter.first?["date"] == "2023-08-17")
            #expect(quarter.last?["bytes"] == 1_540_505)
            let two = try await api.call(
                "video.cdn", ["app": "demo-origin", "starttime": "2023-11-14", "endtime": "2023-11-15"])
            #expect(two["data"]?.arrayValue?.map { $0["date"] } == ["2023-11-14", "2023-11-15"])
            let since = try await api.call("video.cdn", ["app": "demo-origin", "starttime": "2023-11-14"])
            #expect(since["data"]?.arrayValue?.count == 30)
            #expect(since["data"]?.arrayValue?.first?["bytes"] == 1_540_505)
            let back = try await api.call(
                "video.cdn", ["app": "demo-origin", "starttime": "2023-11-14", "endtime": "2023-11-13"])
            #expect(back.message == "One or more fields are not valid: endtime must be on or after starttime")
            #expect(
                data(try await api.call("video.servers", app)) == """
                    {"data":[{"date":"2023-11-14","server":"b.example","bytes":5,"viewer_minutes":2},\
                    {"date":"2023-11-14","server":"origin.example","bytes":1540500,"viewer_minutes":0}]}
                    """)
        }
    }

    @Test("Apps are named or numbered, and a number that is none of the account's is refused")
    func apps() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            deliver(api)
            let apps = try await api.call("video.getapps")["data"]?.arrayValue ?? []
            #expect(apps.map { $0["name"] } == ["demo-origin", "demo-chorigin", "demo-vod"])
            let id = try #require(apps.first?["id"])
            let named = data(try await api.call("video.servers", ["app": "demo-origin"]))
            #expect(data(try await api.call("video.servers", ["app": id])) == named)
            #expect(data(try await api.call("video.servers", ["app": [id, "demo-origin"]])) == named)
            let foreign = try await api.call("video.servers", ["app": id], key: api.other)
            #expect(foreign.code == 7)
            #expect(
                foreign.message
                    == "One or more fields are not valid: app must be a number that video.getapps gives, or an application's name"
            )
            #expect(
                data(try await api.call("video.streams", ["app": ["demo-origin", "demo-vod"]])) == """
                    {"data":[{"app":"demo-origin","inst":"live","url":"paid_360p"},\
                    {"app":"demo-origin","inst":"live","url":"show"},{"app":"demo-vod","inst":"live","url":"film.mp4"}]}
                    """)
            // What has been used is an app, with or without settings.
            meter(api, StreamAddress(app: "demo-extra", instance: "live", stream: "s")).count(rtmp: 1)
            let more = try await api.call("video.getapps")["data"]?.arrayValue?.last
            #expect(more?["name"] == "demo-extra")
        }
    }

    @Test("Files of an account take nothing as long as there are none")
    func disk() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let days = try await api.call("disk.usage")["data"]?.arrayValue ?? []
            #expect(days.count == 30)
            #expect(days.last == ["date": "2023-11-14", "user": "demo", "bytes": 0])
        }
    }

    /// One RTMP and three HLS viewers of `show`, one HLS viewer of `paid_360p`.
    private func watch(_ api: TestAPI) -> [DeliveryMeter] {
        let meters = [meter(api, Self.show), meter(api, Self.paid), meter(api, Self.film)]
        meters.first?.countConnections(rtmp: 1)
        api.audience.set(3, of: Self.show)
        api.audience.set(1, of: Self.paid)
        return meters
    }

    @Test("Viewers are counted for each name asked for, and none is 0")
    func viewerCount() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let meters = watch(api)
            func count(_ url: JSONValue) async throws -> String {
                data(try await api.call("vsn.viewercount", ["app": "demo-live", "url": url], key: api.reader))
            }
            func row(_ url: String, _ hls: Int, _ rtmp: Int) -> String {
                "{\"app\":\"demo-origin\",\"url\":\"\(url)\",\"viewer_count_sum\":\(hls + rtmp),\"hls\":\(hls),\"rtmp\":\(rtmp)}"
            }
            #expect(try await count("show") == "{\"data\":[\(row("show", 3, 1))]}")
            #expect(try await count("_root_") == "{\"data\":[\(row("_root_", 4, 1))]}")
            #expect(try await count("none") == "{\"data\":[\(row("none", 0, 0))]}")
            #expect(
                try await count(["paid*", "show"]) == "{\"data\":[\(row("paid*", 1, 0)),\(row("show", 3, 1))]}")
            #expect(try await api.call("vsn.viewercount", ["app": "demo-origin"]).code == 6)
            #expect(try await api.call("vsn.viewercount", ["app": "demo-origin", "url": ["a", ""]]).code == 7)
            let others = try await api.call(
                "vsn.viewercount", ["app": "other-origin", "url": "_root_"], key: api.other)
            #expect(others["data"]?.arrayValue?.first?["viewer_count_sum"] == 0)
            withExtendedLifetime(meters) {}
        }
    }

    @Test("Who watches is listed with how many watched, minute by minute")
    func live() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let meters = watch(api)
            let count: @Sendable (StreamAddress, Int) -> Int = { $1 + api.audience.count(of: $0) }
            // 22:13:00, then every five seconds for a minute, in which two of `show` leave half-way.
            api.clock.set(Date(timeIntervalSince1970: 1_699_999_980))
            api.usage.sample(viewers: count)
            for second in stride(from: 5, through: 55, by: 5) {
                api.clock.advance(5)
                if second == 35 { api.audience.set(1, of: Self.show) }
                api.usage.sample(viewers: count)
            }
            await api.usage.write()
            api.clock.advance(5)
            api.usage.sample(viewers: count)
            let reply = try await api.call("viewer.live", ["app": "demo-origin"], key: api.reader)
            #expect(reply["viewer_count_sum"] == 3)
            #expect(
                data(reply) == """
                    {"data":[{"app":"demo-origin","inst":"live","url":"paid_360p","viewer_count_sum":1,"hls":1,"rtmp":0},\
                    {"app":"demo-origin","inst":"live","url":"show","viewer_count_sum":2,"hls":1,"rtmp":1}]}
                    """)
            func text(_ name: String, _ reply: TestReply) -> String {
                reply[name].map { String(decoding: JSONWriter.write(JSONValue.object(["rows": $0])), as: UTF8.self) }
                    ?? reply.text
            }
            // (6 × 4 + 5 × 2) × 5 s of `show`, 11 × 5 s of `paid_360p`; then 5 s in the next minute.
            let both = """
                {"rows":[{"date":"2023-11-14 22:13","viewer_count_avg":3.75,"viewer_count_max":5,"viewer_minutes":3.75},\
                {"date":"2023-11-14 22:14","viewer_count_avg":0.25,"viewer_count_max":3,"viewer_minutes":0.25}]}
                """
            #expect(text("history", reply) == both)
            let one = try await api.call("vsn.viewerhistorybyname", ["app": "demo-origin", "url": "show"])
            #expect(
                text("data", one) == """
                    {"rows":[{"date":"2023-11-14 22:13","viewer_count_avg":2.83,"viewer_count_max":4,"viewer_minutes":2.83},\
                    {"date":"2023-11-14 22:14","viewer_count_avg":0.17,"viewer_count_max":2,"viewer_minutes":0.17}]}
                    """)
            let all = try await api.call("vsn.viewerhistorybyname", ["app": "demo-origin", "url": "*"])
            #expect(text("data", all) == both)
            let then = try await api.call(
                "viewer.live", ["app": "demo-origin", "url": "none", "endtime": "2023-11-14 22:13:00"])
            #expect(text("history", then) == "{\"rows\":[]}")
            #expect(text("data", then) == "{\"rows\":[]}")
            #expect(
                data(try await api.call("viewer.livedetailed", ["app": "demo-origin", "url": "show"])) == """
                    {"data":[{"server":"origin.example","vhost":"hls","app":"demo-origin","inst":"live","url":"show",\
                    "viewer_count_sum":1},{"server":"origin.example","vhost":"rtmp","app":"demo-origin","inst":"live",\
                    "url":"show","viewer_count_sum":1}]}
                    """)
            // (34 + 11 + 3) × 5 s.
            let minutes = try await api.call("usage.data")["data"]?.arrayValue?.last?["usage"]
            #expect(minutes == 4)
            withExtendedLifetime(meters) {}
        }
    }

    @Test(
        "Sizes for people have three digits at least",
        arguments: [
            (0, "0 B"), (999, "999 B"), (1_000, "1.00 kB"), (1_049_999, "1.04 MB"), (999_999_999, "999.99 MB"),
            (1_500_000_000_000, "1.50 TB"), (Int64.max, "9.22 EB"),
        ] as [(Int64, String)])
    func sizes(bytes: Int64, text: String) {
        #expect(ByteText.text(bytes) == text)
    }
}

import Basics
import Testing

@testable import PushPublish

@Suite struct DestinationTests {
    struct Good: Sendable, CustomTestStringConvertible {
        var service: String
        var fields: [String: String]
        var expected: RTMPDestination
        var testDescription: String { "\(service) \(fields)" }

        init(
            _ service: String, _ fields: [String: String], tls: Bool = false, _ host: String, _ port: Int,
            _ app: String,
            _ stream: String, user: String? = nil, password: String? = nil
        ) {
            self.service = service
            self.fields = fields
            expected = RTMPDestination(
                isTLS: tls, host: host, port: port, app: app, stream: stream, user: user, password: password)
        }
    }

    static let good = [
        Good(
            "rtmp", ["dst_host": "live.example.com", "dst_app": "app", "dst_stream": "key"], "live.example.com", 1935,
            "app", "key"),
        Good(
            "rtmp",
            [
                "dst_host": "[2606:4700::1]", "dst_port": "80", "dst_app": "/app/", "dst_inst": "inst",
                "dst_stream": "key?a=b", "dst_user": "u", "dst_pass": "p",
            ], "2606:4700::1", 80, "app/inst", "key?a=b", user: "u", password: "p"),
        Good("rtmp", ["url": "rtmp://h.example/app/key"], "h.example", 1935, "app", "key"),
        Good("rtmp", ["url": "rtmps://h.example:8443/app/inst/key"], tls: true, "h.example", 8443, "app/inst", "key"),
        Good(
            "rtmp", ["url": "rtmp://u:p%40ss@h.example/app/key"], "h.example", 1935, "app", "key", user: "u",
            password: "p@ss"),
        Good(
            "rtmp", ["url": "rtmp://h.example/app/inst", "dst_stream": "key"], "h.example", 1935, "app/inst", "key"),
        Good(
            "rtmps", ["dst_host": "h.example", "dst_app": "a", "dst_stream": "k"], tls: true, "h.example", 443, "a", "k"
        ),
        Good("youtube", ["dst_stream": "abcd-efgh"], "a.rtmp.youtube.com", 1935, "live2", "abcd-efgh"),
        Good(
            "youtube", ["dst_host": "b.rtmp.youtube.com", "dst_stream": "k"], "b.rtmp.youtube.com", 1935, "live2", "k"),
        Good("twitch", ["dst_stream": "live_1"], "live.twitch.tv", 1935, "app", "live_1"),
        Good("facebook", ["dst_stream": "FB-1"], tls: true, "live-api-s.facebook.com", 443, "rtmp", "FB-1"),
        Good(
            "facebook", ["url": "rtmps://live-api-s.facebook.com:443/rtmp/", "dst_stream": "FB-1"], tls: true,
            "live-api-s.facebook.com", 443, "rtmp", "FB-1"),
        Good("instagram", ["dst_stream": "IG"], tls: true, "live-upload.instagram.com", 443, "rtmp", "IG"),
        Good(
            "kick", ["dst_host": "fa.contribute.live-video.net", "dst_stream": "sk"], tls: true,
            "fa.contribute.live-video.net", 443, "app", "sk"),
        Good(
            "tiktok", ["url": "rtmp://push.tiktokcdn.com/game/stream-1?sign=x"], "push.tiktokcdn.com", 1935, "game",
            "stream-1?sign=x"),
        Good("periscope", ["dst_host": "va.pscp.tv", "dst_stream": "k"], "va.pscp.tv", 80, "x", "k"),
    ]

    @Test("Fields become a destination", arguments: good)
    func fieldsBecomeADestination(sample: Good) throws {
        let destination = try DestinationKinds.builtIn.kind(sample.service).destination(from: sample.fields)
        #expect(destination as? RTMPDestination == sample.expected)
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        var service: String
        var fields: [String: String]
        var problems: [String]
        var testDescription: String { "\(service) \(fields)" }
    }

    static let bad = [
        Bad(service: "rtmp", fields: [:], problems: ["dst_host missing", "dst_app missing", "dst_stream missing"]),
        Bad(
            service: "rtmp", fields: ["dst_host": "", "dst_app": "a", "dst_stream": "k"], problems: ["dst_host missing"]
        ),
        Bad(service: "youtube", fields: [:], problems: ["dst_stream missing"]),
        Bad(service: "kick", fields: ["dst_stream": "k"], problems: ["dst_host missing"]),
        Bad(
            service: "rtmp", fields: ["dst_host": "h:1935", "dst_port": "0", "dst_app": "a b", "dst_stream": "k\n"],
            problems: ["dst_host invalid", "dst_port invalid", "dst_app invalid", "dst_stream invalid"]),
        Bad(
            service: "rtmp", fields: ["dst_host": "rtmp://h", "dst_port": "65536", "dst_app": "a", "dst_stream": "k"],
            problems: ["dst_host invalid", "dst_port invalid"]),
        Bad(
            service: "rtmp", fields: ["dst_host": "0177.1", "dst_port": "+80", "dst_app": "a", "dst_stream": "k"],
            problems: ["dst_host invalid", "dst_port invalid"]),
        Bad(
            service: "rtmp", fields: ["url": "rtmp://h/a/k", "dst_host": "h"], problems: ["dst_host invalid"]),
        Bad(service: "rtmp", fields: ["url": "http://h/a/k"], problems: ["url invalid"]),
        Bad(service: "rtmp", fields: ["url": "rtmp://h ost/a/k"], problems: ["url invalid"]),
        Bad(service: "rtmp", fields: ["url": "rtmp://h/app"], problems: ["dst_stream missing"]),
        Bad(service: "rtmps", fields: ["url": "rtmp://h/a/k"], problems: ["url invalid"]),
        Bad(
            service: "rtmp", fields: ["dst_host": "h", "dst_app": "a", "dst_stream": "k", "dst_pass": "p"],
            problems: ["dst_user missing"]),
        Bad(
            service: "rtmp",
            fields: ["dst_host": "h", "dst_app": "a", "dst_stream": String(repeating: "k", count: 1025)],
            problems: ["dst_stream invalid"]),
        Bad(service: "", fields: [:], problems: ["service_name missing"]),
        Bad(service: "gopher", fields: [:], problems: ["service_name invalid"]),
        Bad(service: "srt", fields: [:], problems: ["service_name invalid"]),
    ]

    @Test("Every problem of a destination's fields is named", arguments: bad)
    func everyProblemIsNamed(sample: Bad) throws {
        let error = try #require(throws: FieldProblems.self) {
            _ = try DestinationKinds.builtIn.kind(sample.service).destination(from: sample.fields)
        }
        #expect(error.problems.map { "\($0.field) \($0.isMissing ? "missing" : "invalid")" } == sample.problems)
    }

    @Test(
        "Kinds of destination that are to come are refused clearly",
        arguments: ["srt", "akamai", "hls", "icecast", "mpegts"])
    func kindsToComeAreRefusedClearly(service: String) throws {
        let error = try #require(throws: FieldProblems.self) {
            _ = try DestinationKinds.builtIn.kind(service)
        }
        #expect(error.description == "service_name \(service) is not available on this server yet")
    }

    @Test(
        "A destination's summary hides the stream key",
        arguments: [
            ("rtmp://h.example/app/abcd-efgh-1234", "rtmp://h.example/app/****1234"),
            ("rtmp://h.example:1936/app/short", "rtmp://h.example:1936/app/****"),
            ("rtmps://u:pw@h.example/app/inst/streamkey9999", "rtmps://h.example/app/inst/****9999"),
        ])
    func theSummaryHidesTheKey(url: String, summary: String) throws {
        let destination = try DestinationKinds.builtIn.kind("rtmp").destination(from: ["url": url])
        #expect(destination.summary == summary)
    }

    @Test("A destination's summary hides the application's query")
    func theSummaryHidesTheApplicationsQuery() throws {
        let fields = ["dst_host": "h.example", "dst_app": "app?token=secret", "dst_stream": "key"]
        let destination = try DestinationKinds.builtIn.kind("rtmp").destination(from: fields)
        #expect(destination.summary == "rtmp://h.example/app?****/****")
        #expect(destination.secrets.contains("secret"))
    }

    @Test(
        "Stored values are given back in the declared order, secrets and what is not declared by their last four characters"
    )
    func shownWithoutSecrets() {
        func shown(_ values: [String: String], _ service: String = "rtmp") -> [String] {
            DestinationKinds.builtIn.shown(values, of: service).map { "\($0.name)=\($0.value)" }
        }
        #expect(
            shown([
                "dst_pass": "hunter2", "dst_host": "h", "dst_app": "a?t=secret", "dst_stream": "abcd-efgh-1234",
                "dst_user": "u", "token": "0123456789",
            ]) == [
                "dst_host=h", "dst_app=a?****", "dst_stream=****1234", "dst_user=u", "dst_pass=****", "token=****6789",
            ])
        #expect(shown(["url": "rtmp://u:pw@h/app/abcd-efgh-1234"]) == ["url=rtmp://u:****@h/app/****1234"])
        #expect(shown(["url": "nonsense-with-key"]) == ["url=****-key"])
        // A kind that is gone says nothing of its fields any more.
        #expect(shown(["dst_host": "live.example.com"], "gone") == ["dst_host=****.com"])
    }

    @Test("What a destination says is shown without secrets")
    func whatATestDestinationSaysIsShownWithoutSecrets() {
        let text = "stream abcd-efgh-1234\r\nis taken, abcd-efgh-1234!" + String(repeating: "x", count: 1000)
        let shown = Secret.redacted(text, hiding: ["abcd-efgh-1234"])
        #expect(shown.hasPrefix("stream ****1234  is taken, ****1234!xxx"))
        #expect(shown.count == 240)
    }

    @Test(
        "Entry names are made unique",
        arguments: [
            ("rtmp", [], "rtmp"), ("rtmp", ["rtmp"], "rtmp_2"), ("rtmp", ["rtmp", "rtmp_2", "rtmp_4"], "rtmp_3"),
        ])
    func entryNamesAreMadeUnique(wanted: String, taken: [String], expected: String) {
        #expect(EntryName.free(wanted, taken: Set(taken)) == expected)
    }
}

import Foundation
import Testing

@testable import Settings

@Suite struct BadConfigurationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var yaml: String
        var environment: [String: String] = [:]
        var messages: [String]

        var testDescription: String { messages.first ?? yaml }
    }

    private static func messages(_ yaml: String, _ environment: [String: String]) -> [String] {
        do throws(ConfigurationProblems) {
            _ = try PlayhouseConfiguration.load(
                file: ConfigurationFile(name: "c.yaml", text: yaml), environment: environment)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    static let fileCases = [
        // Unknown names.
        Case(
            yaml: "http:\n  lisen: 0.0.0.0:80\n",
            messages: ["c.yaml:2: http.lisen: unknown key; did you mean http.listen?"]),
        Case(yaml: "htttp:\n  listen: 0.0.0.0:80\n", messages: ["c.yaml:1: htttp: unknown key; did you mean http?"]),
        Case(yaml: "\n\nhls.windw: 3\n", messages: ["c.yaml:3: hls.windw: unknown key; did you mean hls.window?"]),
        Case(yaml: "quantum: 1\n", messages: ["c.yaml:1: quantum: unknown key"]),
        Case(
            yaml: "segment_duration: 1\n",
            messages: ["c.yaml:1: segment_duration: unknown key; did you mean hls.segment_duration?"]),
        Case(
            yaml: "hls:\n  gop_bytes: 1MiB\n",
            messages: ["c.yaml:2: hls.gop_bytes: unknown key; did you mean live.gop_bytes?"]),
        // Given twice.
        Case(
            yaml: "http:\n  listen: a:1\nhttp.listen: b:2\n",
            messages: ["c.yaml:3: http.listen: given twice, first on line 2"]),
        Case(
            yaml: "hls:\n  window: 5\n  window: 6\n",
            messages: ["c.yaml:2: window: given twice in the same map"]),
        // Shapes.
        Case(
            yaml: "log: debug\n",
            messages: ["c.yaml:1: log: expected a map of keys (level, format), found \"debug\""]),
        Case(
            yaml: "hls:\n  window: [6]\n",
            messages: ["c.yaml:2: hls.window: expected a whole number from 3 to 120, found a list"]),
        Case(
            yaml: "hls:\n  window:\n    size: 6\n",
            messages: ["c.yaml:2: hls.window: expected a whole number from 3 to 120, found a map"]),
        Case(
            yaml: "hls:\n  window:\n",
            messages: ["c.yaml:2: hls.window: expected a whole number from 3 to 120, found nothing"]),
        Case(
            yaml: "push.allow_private: 10.0.0.0/8\n",
            messages: [
                """
                c.yaml:1: push.allow_private: expected a list of networks, such as [10.0.0.0/8, "fd00::/8"], found the single \
                value "10.0.0.0/8"
                """
            ]),
        Case(
            yaml: "push.allow_private: [[10.0.0.0/8]]\n",
            messages: [
                """
                c.yaml:1: push.allow_private: expected a list of networks, such as [10.0.0.0/8, "fd00::/8"], found an element \
                that is no text
                """
            ]),
        Case(
            yaml: "- http\n",
            messages: ["c.yaml:1: expected a map of keys, such as http.listen: 0.0.0.0:8080"]),
        Case(yaml: "hls: [1\n", messages: ["c.yaml:2: is not YAML: did not find expected ',' or ']'"]),
        Case(
            yaml: "http:\n  listen: [::]:8080\n",
            messages: [
                """
                c.yaml:2: is not YAML: did not find expected node content (an IPv6 address must stand in quotes: "[::]:8080")
                """
            ]),
    ]

    static let valueCases = [
        Case(
            yaml: "http.listen: 8080\n",
            messages: [
                "c.yaml:1: http.listen: expected host:port, such as 0.0.0.0:8080 or \"[::]:8080\", found \"8080\""
            ]),
        Case(
            yaml: "hls.window: two\n",
            messages: ["c.yaml:1: hls.window: expected a whole number from 3 to 120, found \"two\""]),
        Case(
            yaml: "hls.window: 2\n",
            messages: ["c.yaml:1: hls.window: expected a whole number from 3 to 120, found \"2\""]),
        Case(
            yaml: "hls.segment_duration: 31\n",
            messages: ["c.yaml:1: hls.segment_duration: expected a duration from 0.5 to 30 s, found \"31\""]),
        Case(
            yaml: "live.backup_suffix: _360p\n",
            messages: [
                """
                c.yaml:1: live.backup_suffix: expected 1 to 32 letters, digits and -_.~ that are no rendition's such as _360p, or \
                "", found "_360p"
                """
            ]),
        Case(
            yaml: "live.backup_suffix: /b\n",
            messages: [
                """
                c.yaml:1: live.backup_suffix: expected 1 to 32 letters, digits and -_.~ that are no rendition's such as _360p, or \
                "", found "/b"
                """
            ]),
        Case(
            yaml: "live.latency: -1\n",
            messages: ["c.yaml:1: live.latency: expected a duration from 0 to 2000 ms, found \"-1\""]),
        Case(
            yaml: "rtmp.max_message: 1PiB\n",
            messages: ["c.yaml:1: rtmp.max_message: expected a number of bytes from 64KiB to 64MiB, found \"1PiB\""]),
        Case(
            yaml: "compat.accept_password_hash: maybe\n",
            messages: ["c.yaml:1: compat.accept_password_hash: expected true or false, found \"maybe\""]),
        Case(yaml: "log.format: xml\n", messages: ["c.yaml:1: log.format: expected one of text, json, found \"xml\""]),
        Case(
            yaml: "http.trusted_proxies: [10.0.0.1, 10.0.0.0/40]\n",
            messages: [
                """
                c.yaml:1: http.trusted_proxies: expected a list of networks, such as [10.0.0.0/8, "fd00::/8"], found \
                "10.0.0.0/40"
                """
            ]),
        Case(
            yaml: "usher.protected: [demo-origin]\n",
            messages: [
                """
                c.yaml:1: usher.protected: expected a list of app/stream, in which * stands for any run of characters, the app by \
                the name it is published under (demo-origin, not demo-live) and the stream without its instance, found \
                "demo-origin"
                """
            ]),
        Case(
            yaml: "server.public_host: example.com:8080\n",
            messages: [
                """
                c.yaml:1: server.public_host: expected a host name or an address, without a port, found "example.com:8080"
                """
            ]),
        Case(
            yaml: "hls.cors_origin: example.com\n",
            messages: [
                """
                c.yaml:1: hls.cors_origin: expected *, an origin such as https://www.example.com, or "", found "example.com"
                """
            ]),
        // Settings that contradict each other.
        Case(
            yaml: "hls.segment_duration: 20\nhls.segment_max_duration: 10\n",
            messages: ["c.yaml:2: hls.segment_max_duration: must be at least hls.segment_duration"]),
        Case(
            yaml: "push:\n  retry_initial: 10\n  retry_max: 5\n",
            messages: ["c.yaml:3: push.retry_max: must be at least push.retry_initial"]),
        Case(
            yaml: "http.listen: 0.0.0.0:1935\n",
            messages: ["c.yaml:1: http.listen: http.listen and rtmp.listen are the same address"]),
        Case(
            yaml: "https:\n  listen: 0.0.0.0:8080\n  certificate: a.pem\nrtmps.listen: 0.0.0.0:1935\n",
            messages: [
                "c.yaml:2: https.listen: http.listen and https.listen are the same address",
                "c.yaml:4: rtmps.listen: rtmp.listen and rtmps.listen are the same address",
            ]),
        Case(
            yaml: "https.listen: 0.0.0.0:443\n", messages: ["c.yaml:1: https.listen: https.certificate names no file"]),
        Case(
            yaml: "rtmps.listen: 0.0.0.0:443\n",
            messages: ["c.yaml:1: rtmps.listen: neither rtmps.certificate nor https.certificate names a file"]),
        Case(
            yaml: "https:\n  listen: 0.0.0.0:443\n  certificate: [a.pem, b.pem]\n  key: a.key\n",
            messages: ["c.yaml:4: https.key: https.certificate names 2 files and https.key 1"]),
    ]

    static let environmentCases = [
        Case(
            yaml: "", environment: ["PLAYHOUSE_HLS_WINDOW": "x"],
            messages: ["PLAYHOUSE_HLS_WINDOW: expected a whole number from 3 to 120, found \"x\""]),
        Case(
            yaml: "", environment: ["PLAYHOUSE_HTTP_LISTENS": "x"],
            messages: [
                """
                PLAYHOUSE_HTTP_LISTENS: no setting has this environment variable; did you mean PLAYHOUSE_HTTP_LISTEN?
                """
            ]),
        Case(
            yaml: "", environment: ["PLAYHOUSE_QUANTUM_FLUX_CAPACITOR": "x"],
            messages: ["PLAYHOUSE_QUANTUM_FLUX_CAPACITOR: no setting has this environment variable"]),
        Case(
            yaml: "", environment: ["PLAYHOUSE_PUSH_ALLOW_PRIVATE": "10.0.0.0/8,nonsense"],
            messages: [
                """
                PLAYHOUSE_PUSH_ALLOW_PRIVATE: expected a list of networks, such as [10.0.0.0/8, "fd00::/8"], found "nonsense"
                """
            ]),
        Case(
            yaml: "hls.segment_duration: 3\n", environment: ["PLAYHOUSE_HLS_SEGMENT_MAX_DURATION": "1"],
            messages: ["PLAYHOUSE_HLS_SEGMENT_MAX_DURATION: must be at least hls.segment_duration"]),
        // What the environment hides must be right all the same.
        Case(
            yaml: "hls.window: x\n", environment: ["PLAYHOUSE_HLS_WINDOW": "5"],
            messages: ["c.yaml:1: hls.window: expected a whole number from 3 to 120, found \"x\""]),
        // All at once: the file's in its order, then the environment's.
        Case(
            yaml: "rtmp:\n  listn: 1\nhls:\n  window: 1\nlog: [1]\n",
            environment: ["PLAYHOUSE_LOG_LEVEL": "loud", "PLAYHOUSE_LOG_LEVEK": "info"],
            messages: [
                "c.yaml:2: rtmp.listn: unknown key; did you mean rtmp.listen?",
                "c.yaml:4: hls.window: expected a whole number from 3 to 120, found \"1\"",
                "c.yaml:5: log: expected a map of keys (level, format), found a list",
                "PLAYHOUSE_LOG_LEVEK: no setting has this environment variable; did you mean PLAYHOUSE_LOG_LEVEL?",
                """
                PLAYHOUSE_LOG_LEVEL: expected one of trace, debug, info, notice, warning, error, critical, found "loud"
                """,
            ]),
    ]

    @Test(arguments: [
        "live.example.com", "ftp://a", "https://", "https://a b", "https://a/?x=1", "https://a#b", "https:///x",
        "https://u@a",
    ])
    func `what is no public URL`(url: String) {
        let expected = "a URL such as https://live.example.com, without a query, or \"\""
        #expect(
            Self.messages("server.public_url: \"\(url)\"\n", [:])
                == ["c.yaml:1: server.public_url: expected \(expected), found \"\(url)\""])
    }

    @Test(
        "A pattern that no stream can match is an error, for what it is meant to protect would be open",
        arguments: [
            "demo-origin/live/paid*", "demo-live/paid", "demo-channel/*", "*-live/paid", "demo/paid",
            "demo-origin/pa id",
            "demo-origin/pa?d", "demo-origin/", "/paid", "demo-chorigin/a/b",
        ])
    func deadPatterns(pattern: String) {
        let messages = Self.messages("usher.protected: [\"\(pattern)\"]\n", [:])
        #expect(messages.count == 1)
        #expect(messages.first?.hasPrefix("c.yaml:1: usher.protected: expected a list of app/stream") == true)
        #expect(messages.first?.hasSuffix("found \"\(pattern)\"") == true)
    }

    @Test(arguments: fileCases + valueCases + environmentCases)
    func `says where, which key and what was expected`(_ test: Case) {
        #expect(Self.messages(test.yaml, test.environment) == test.messages)
    }

    @Test func `a file that is not there is named`() {
        #expect(
            throws: ConfigurationProblems([
                ConfigurationProblem(
                    .unreadable, at: .file("/nowhere/c.yaml", line: nil), key: nil,
                    "cannot be read: there is no such file")
            ])
        ) {
            try PlayhouseConfiguration.load(file: "/nowhere/c.yaml", environment: [:])
        }
    }

    @Test(arguments: [
        "", ":80", "host", "host:", "host:65536", "host:-1", "::1:80", "[::1]", "[::1:80", "[]:80", "[host]:80",
        "a b:80", "host:80x",
    ])
    func `what is not host and port`(text: String) {
        #expect(HostPort(text) == nil)
    }

    @Test(arguments: ["0.0.0.0:80", "[::]:1935", "[::ffff:1.2.3.4]:1", "my-host.example:65535", "localhost:0"])
    func `host and port are printed as they are read`(text: String) {
        #expect(HostPort(text)?.description == text)
    }
}

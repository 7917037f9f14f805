import Basics
import Foundation
import Logging
import Storage
import Testing
import Usher

@testable import Settings

@Suite struct GoodConfigurationTests {
    private func load(_ yaml: String, _ environment: [String: String] = [:]) throws -> PlayhouseConfiguration {
        try PlayhouseConfiguration.load(
            file: ConfigurationFile(name: "/etc/playhouse/c.yaml", text: yaml), environment: environment)
    }

    @Test func `nested, dotted and mixed spelling mean the same`() throws {
        let nested = try load("http:\n  listen: 127.0.0.1:80\nhls:\n  window: 9\n")
        let dotted = try load("http.listen: 127.0.0.1:80\nhls.window: 9\n")
        let mixed = try load("http.listen: 127.0.0.1:80\nhls: {window: 9}\n")
        #expect(nested.http.listen == HostPort(host: "127.0.0.1", port: 80))
        #expect(nested.hls.window == 9)
        #expect(nested == dotted)
        #expect(nested == mixed)
    }

    @Test(arguments: ["", "# nothing\n", "---\n", "http:\n", "http: ~\nrtmp: {}\n"])
    func `a file that sets nothing gives the defaults`(yaml: String) throws {
        let configuration = try load(yaml)
        #expect(configuration.http == .init())
        #expect(configuration.live == .init())
    }

    @Test func `the environment goes over the file`() throws {
        let yaml = "http.listen: 127.0.0.1:80\npush.allow_private: [10.0.0.0/8]\nhls.window: 9\n"
        let configuration = try load(
            yaml,
            [
                "PLAYHOUSE_HTTP_LISTEN": "[::]:8081", "PLAYHOUSE_PUSH_ALLOW_PRIVATE": "127.0.0.0/8, fd00::/8",
                "PATH": "/bin", "PLAYHOUSE_PROFILE": "x", "PLAYHOUSE_CONFIG": "y",
                "PLAYHOUSE_PORT": "tcp://10.0.0.1:80",
                "PLAYHOUSE_SERVICE_HOST": "10.0.0.1",
            ])
        #expect(configuration.http.listen == HostPort(host: "::", port: 8081))
        #expect(configuration.push.allowPrivate == [IPNetwork("127.0.0.0/8"), IPNetwork("fd00::/8")])
        #expect(configuration.hls.window == 9)
    }

    @Test("Country databases are a list, or one path alone, beside the file or where the variable is set")
    func countryDatabases() throws {
        let here = FileManager.default.currentDirectoryPath
        for (yaml, variable, expected) in [
            ("", nil, []), ("usher.country_database: \"\"\n", nil, []),
            ("usher.country_database: a.mmdb\n", nil, ["/etc/playhouse/a.mmdb"]),
            ("usher: {country_database: [a.mmdb, /b.mmdb]}\n", nil, ["/etc/playhouse/a.mmdb", "/b.mmdb"]),
            ("usher.country_database: a.mmdb\n", "/c.mmdb,d.mmdb", ["/c.mmdb", "\(here)/d.mmdb"]),
            ("usher.country_database: a.mmdb\n", "", []),
        ] as [(String, String?, [String])] {
            let configuration = try PlayhouseConfiguration.load(
                file: ConfigurationFile(name: "/etc/playhouse/c.yaml", text: yaml),
                environment: variable.map { ["PLAYHOUSE_USHER_COUNTRY_DATABASE": $0] } ?? [:])
            #expect(configuration.usher.countryDatabases == expected, "\(yaml) \(variable ?? "")")
        }
    }

    @Test("Certificates are paths beside the file; keys are in them when none are named, and RTMPS has those of HTTPS")
    func certificates() throws {
        func load(_ text: String) throws -> PlayhouseConfiguration {
            try PlayhouseConfiguration.load(
                file: ConfigurationFile(name: "/etc/playhouse/c.yaml", text: text), environment: [:])
        }
        #expect(try load("").https == PlayhouseConfiguration.TLS())
        #expect(try load("https.listen: \"\"\n").https.listen == nil)
        let both = try load("https:\n  listen: \"[::]:443\"\n  certificate: a.pem\nrtmps.listen: 0.0.0.0:1936\n")
        #expect(both.https.listen == HostPort(host: "::", port: 443))
        #expect(both.https.certificates == ["/etc/playhouse/a.pem"] && both.https.keys == both.https.certificates)
        #expect(both.rtmps.certificates == both.https.certificates && both.rtmps.keys == both.https.keys)
        let apart = try load(
            "https.certificate: [a.pem, /tls/b.pem]\nhttps.key: [a.key, /tls/b.key]\nrtmps.certificate: c.pem\n")
        #expect(apart.https.keys == ["/etc/playhouse/a.key", "/tls/b.key"])
        #expect(apart.rtmps.certificates == ["/etc/playhouse/c.pem"] && apart.rtmps.keys == apart.rtmps.certificates)
    }

    @Test("hls.js is looked for beside the file that names it")
    func playerLibrary() throws {
        for (yaml, expected) in [("", ""), ("player.hls_js: hls.js\n", "/etc/playhouse/hls.js")] {
            let file = ConfigurationFile(name: "/etc/playhouse/c.yaml", text: yaml)
            #expect(try PlayhouseConfiguration.load(file: file, environment: [:]).player.hlsJS == expected)
        }
    }

    @Test func `an empty variable empties a list`() throws {
        let configuration = try load("push.allow_private: [10.0.0.0/8]\n", ["PLAYHOUSE_PUSH_ALLOW_PRIVATE": ""])
        #expect(configuration.push.allowPrivate.isEmpty)
    }

    @Test(arguments: [
        ("2", Duration.seconds(2)), ("2.5", .milliseconds(2500)), ("500ms", .milliseconds(500)), ("3 s", .seconds(3)),
        ("0.25min", .seconds(15)), ("\"4\"", .seconds(4)),
    ])
    func `durations count seconds or carry a unit`(text: String, expected: Duration) throws {
        #expect(
            try load("hls.segment_max_duration: 60\nhls.segment_duration: \(text)\n").hls.segmentDuration == expected)
    }

    @Test("A GOP of 250 frames, which encoders make by themselves, is within the longest segment at 10 frames a second")
    func longestSegment() throws {
        #expect(try load("").hls.segmentMaxDuration >= .seconds(25))
    }

    @Test func `each key has its own plain unit`() throws {
        let configuration = try load("live.latency: 40\nstorage.attempt_retention: 7\nstorage.event_retention: 12h\n")
        #expect(configuration.live.latency == .milliseconds(40))
        #expect(configuration.storage.attemptRetention == .seconds(7 * 86400))
        #expect(configuration.storage.eventRetention == .seconds(12 * 3600))
    }

    @Test(arguments: [
        ("1048576", 1_048_576), ("2MiB", 2_097_152), ("2 MiB", 2_097_152), ("1.5MiB", 1_572_864), ("3MB", 3_000_000),
        ("200kB", 200_000), ("64KiB", 65536),
    ])
    func `bytes are plain, binary or decimal`(text: String, expected: Int) throws {
        #expect(try load("rtmp.max_message: \(text)\n").rtmp.maxMessage == expected)
    }

    @Test(arguments: [
        ("true", true), ("yes", true), ("on", true), ("True", true), ("false", false), ("no", false), ("off", false),
    ])
    func `booleans as YAML has them`(text: String, expected: Bool) throws {
        #expect(try load("compat.accept_password_hash: \(text)\n").compat.acceptPasswordHash == expected)
    }

    @Test(
        "Patterns that streams and files can match are taken",
        arguments: [
            "demo-origin/paid*", "*/*", "*/secret", "demo-vod/films/a(1).mp4", "*-vod/a/b",
            "demo-*/x", "demo-chorigin/channel1", "demo-origin/*~.-_",
        ])
    func livePatterns(pattern: String) throws {
        #expect(try load("usher.protected: [\"\(pattern)\"]\n").usher.protected.map(\.description) == [pattern])
    }

    @Test(arguments: [
        ("", ""), ("https://live.example.com", "https://live.example.com"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080"),
        ("https://example.com/tv/", "https://example.com/tv"),
    ])
    func `public URLs`(text: String, url: String) throws {
        #expect(try load("server.public_url: \"\(text)\"\n").server.publicURL == url)
    }

    @Test func `choices, patterns and hosts`() throws {
        let configuration = try load(
            """
            log: {level: debug, format: json}
            usher: {default_protection: sevu, protected: [demo-origin/paid*, "*/secret"]}
            rtmp.challenge_apps: ["*-origin"]
            server.public_host: "[2001:db8::1]"
            hls.cors_origin: https://www.example.com:8443
            """)
        #expect(configuration.log.level == Logger.Level.debug)
        #expect(configuration.log.format == .json)
        #expect(configuration.usher.defaultProtection == Protection.sevu)
        #expect(configuration.usher.protected.map { $0.matches("demo-origin/paid1") } == [true, false])
        #expect(configuration.rtmp.challengeApps.map { $0.matches("demo-origin") } == [true])
        #expect(configuration.server.publicHost == "2001:db8::1")
        #expect(configuration.hls.corsOrigin == "https://www.example.com:8443")
    }

    @Test func `the public host is the machine's where none is given`() throws {
        #expect(try load("").server.publicHost.isEmpty == false)
    }

    @Test func `a relative path starts at the file's folder, from the environment at the working directory`() throws {
        let here = FileManager.default.currentDirectoryPath
        #expect(try load("").storage.path == "/etc/playhouse/playhouse-data")
        #expect(try load("storage.path: ../data\n").storage.path == "/etc/data")
        #expect(try load("storage.path: /srv/data\n").storage.path == "/srv/data")
        #expect(try load("", ["PLAYHOUSE_STORAGE_PATH": "data"]).storage.path == "\(here)/data")
        let withoutFile = try PlayhouseConfiguration.load(file: String?.none, environment: [:])
        #expect(withoutFile.storage.path == "\(here)/playhouse-data")
    }
}

import Testing

@testable import RTMP

struct URLTests {
    struct Case: Sendable {
        var url: String
        var host: String
        var port: Int
        var app: String
        var stream: String
        var tcURL: String
    }

    @Test(
        "RTMP URLs are read",
        arguments: [
            Case(url: "rtmp://h/live/cam", host: "h", port: 1935, app: "live", stream: "cam", tcURL: "rtmp://h/live"),
            Case(
                url: "rtmp://h:1936/a/b/c?x=y", host: "h", port: 1936, app: "a/b", stream: "c?x=y",
                tcURL: "rtmp://h:1936/a/b"),
            Case(url: "rtmps://h/a/key", host: "h", port: 443, app: "a", stream: "key", tcURL: "rtmps://h/a"),
            Case(
                url: "rtmp://[2001:db8::1]:1935/a/s", host: "2001:db8::1", port: 1935, app: "a", stream: "s",
                tcURL: "rtmp://[2001:db8::1]:1935/a"),
            Case(url: "rtmp://[::1]/a/s", host: "::1", port: 1935, app: "a", stream: "s", tcURL: "rtmp://[::1]/a"),
            Case(
                url: "rtmp://h/vod/mp4:folder/file.mp4", host: "h", port: 1935, app: "vod",
                stream: "mp4:folder/file.mp4", tcURL: "rtmp://h/vod"),
            Case(
                url: "rtmp://h/vod/inst/mp4:f/g", host: "h", port: 1935, app: "vod/inst", stream: "mp4:f/g",
                tcURL: "rtmp://h/vod/inst"),
            Case(url: "rtmp://h/app", host: "h", port: 1935, app: "app", stream: "", tcURL: "rtmp://h/app"),
            Case(url: "rtmp://h/app/", host: "h", port: 1935, app: "app", stream: "", tcURL: "rtmp://h/app"),
            Case(
                url: "rtmp://h/app/s?u=http://x/y", host: "h", port: 1935, app: "app", stream: "s?u=http://x/y",
                tcURL: "rtmp://h/app"),
            Case(url: "RTMP://h//app/s", host: "h", port: 1935, app: "app", stream: "s", tcURL: "rtmp://h/app"),
        ])
    func urls(expected: Case) throws {
        let url = try RTMPURL(expected.url)
        #expect(url.host == expected.host)
        #expect(url.port == expected.port)
        #expect(url.app == expected.app)
        #expect(url.stream == expected.stream)
        #expect(url.tcURL == expected.tcURL)
    }

    @Test("The login is decoded and kept out of tcUrl")
    func loginIsDecodedAndKeptOutOfTheTcURL() throws {
        let url = try RTMPURL("rtmp://bob:p%40ss:w@h/a/s")
        #expect(url.user == "bob")
        #expect(url.password == "p@ss:w")
        #expect(url.tcURL == "rtmp://h/a")
        #expect(try RTMPURL("rtmp://bob@h/a/s").password == nil)
    }

    @Test(
        "What is no RTMP URL is refused",
        arguments: [
            "", "h/a/s", "http://h/a/s", "rtmp://", "rtmp:///a/s", "rtmp://h:0/a/s", "rtmp://h:65536/a", "rtmp://h:x/a",
            "rtmp://[::1/a", "rtmp://[::1]x/a", "rtmp://u:p@/a/s", "rtmp://:1935/a",
        ])
    func notAnRTMPURL(text: String) {
        #expect(code { _ = try RTMPURL(text) } == .invalidURL)
    }

    @Test(
        "The app's path is read",
        arguments: [
            ("live", "live", nil, [:]), ("live/", "live", nil, [:]), ("/live//inst/", "live", "inst", [:]),
            ("cust-live/play", "cust-live", "play", [:]), ("a/b/c", "a", "b/c", [:]), ("a/_definst_", "a", nil, [:]),
            ("live/inst?user=u&pass=p%20w", "live", "inst", ["user": "u", "pass": "p w"]),
            (
                "live?x=1?authmod=adobe&response=a+b/c==", "live", nil,
                ["x": "1", "authmod": "adobe", "response": "a+b/c=="]
            ),
            ("", "", nil, [:]), ("?a", "", nil, ["a": ""]), ("a%2Fb/c", "a/b", "c", [:]),
            ("a%zz%4", "a%zz%4", nil, [:]),
        ] as [(String, String, String?, [String: String])])
    func appPaths(text: String, app: String, instance: String?, parameters: [String: String]) {
        let path = AppPath(text)
        #expect(path.app == app)
        #expect(path.instance == instance)
        #expect(path.parameters.members.count == parameters.count)
        for (name, value) in parameters { #expect(path.parameters[name] == value) }
    }

    @Test(
        "Stream names are read",
        arguments: [
            ("cam", "cam", nil, nil), ("cam?key=k", "cam", nil, "k"), ("mp4:folder/file", "folder/file", "mp4", nil),
            ("smil:x.smil?key=a%26b", "x.smil", "smil", "a&b"), ("caf%C3%A9", "café", nil, nil),
            ("x:y", "x:y", nil, nil),
        ] as [(String, String, String?, String?)])
    func streamNames(text: String, name: String, prefix: String?, key: String?) {
        let stream = StreamName(text)
        #expect(stream.name == name)
        #expect(stream.prefix == prefix)
        #expect(stream.parameters["key"] == key)
        #expect(stream.raw == text)
    }
}

import Basics
import Foundation
import Testing

@testable import ControlAPI

/// Codes 6 and 7: what they name, in which order and words.
struct FieldTests {
    /// Missing fields, in the documented order, whatever the order of the request.
    @Test(
        "A required field that is missing is named",
        arguments: [
            ("sevu.request", [:], "app, video, pass, ip, uses"),
            ("sevu.request", ["ip": "auto", "video": "v", "pass": nil, "uses": "many"], "app, pass"),
            ("sevu.status", ["key": ""], "key"), ("sevu.revoke", [:], "key"),
            ("sevu.addstreamuser", [:], "app, stream, user, pass"),
            ("sevu.addstreamuser", ["user": nil, "pass": nil], "app, stream"),
            ("sevu.addstreamuser", ["app": "demo-origin", "stream": "s", "user": nil, "pass": "p"], "user"),
            ("sevu.retrievestreamuser", [:], "streamuser_id"), ("sevu.removestreamuser", ["user": nil], "app, stream"),
            ("sevu.updatestream", [:], "stream_id"), ("sevu.updatestream", ["stream": "s"], "app"),
            ("stream.active", [:], "app, inst"), ("stream.details", ["inst": "live"], "app, stream"),
            ("stream.close", [:], "app, inst, stream"), ("pushpublish.add", [:], "service_name"),
            ("pushpublish.add", ["service_name": "rtmp"], "dst_host, dst_app, dst_stream"),
            ("pushpublish.add", ["service_name": "youtube"], "dst_stream"),
            ("pushpublish.update", [:], "push_service_id"), ("pushpublish.remove", [:], "push_service_id"),
            ("pushpublish.connect", [:], "service_name, app, stream"),
            ("pushpublish.connect", ["service_name": "rtmp"], "dst_host, dst_app, dst_stream, app, stream"),
            ("pushpublish.disconnect", [:], "push_service_id, app, inst, entry_name"),
            ("pushpublish.disconnect", ["push_service_id": "", "entry_name": "tv"], "app, inst"),
            ("pushpublish.disconnect", ["app": "demo-origin"], "inst, entry_name"),
            ("log.origin", [:], "app"), ("server.status", ["origin_url": ""], "app"),
        ] as [(String, JSONObject, String)])
    func missing(command: String, fields: JSONObject, names: String) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            let reply = try await api.call(command, fields)
            #expect(reply.code == 6)
            #expect(reply.message == "One or more required fields are missing: \(names)")
        }
    }

    private static let ticket: JSONObject = [
        "app": "demo-origin", "video": "v", "pass": "p", "ip": "auto", "uses": 1,
    ]

    @Test(
        "A field that is wrong is named, with what it must be",
        arguments: [
            ("sevu.request", "uses", "many", "must be an integer from 0 to 1000000000"),
            ("sevu.request", "uses", -1, "must be an integer from 0 to 1000000000"),
            ("sevu.request", "uses", 1.5, "must be an integer from 0 to 1000000000"),
            ("sevu.request", "pass", ["x"], "must be a string"),
            ("sevu.request", "pass", "a\nb", "must be text without control characters"),
            ("sevu.request", "pass", .string(String(repeating: "p", count: 256)), "must be at most 255 bytes"),
            (
                "sevu.request", "app", "demo-origin|other-origin",
                "must be applications of the account, which begin with demo-, or *"
            ),
            ("sevu.request", "app", "*-origin", "must be applications of the account, which begin with demo-, or *"),
            (
                "sevu.request", "ip", "auto|1.2.3",
                "must be an IPv4 or IPv6 address, a CIDR block, auto or auto/N, several separated by |, not 1.2.3"
            ),
            (
                "sevu.request", "ip", "1.2.3.4/33",
                "must be a CIDR block such as 192.0.2.0/24 or 2001:db8::/32, not 1.2.3.4/33"
            ),
            (
                "sevu.request", "video", "|",
                "must be 1 to 128 names, separated by |, in which * stands for any characters"
            ),
            (
                "sevu.request", "expires", "soon",
                "must be a time: YYYY-MM-DD HH:MM:SS in UTC, ISO 8601, RFC 2822, Unix seconds, or +N seconds, minutes, hours, days, weeks, months or years, not soon"
            ),
            (
                "sevu.request", "app", "demo-origin|demo-vod/play",
                "must be the name of an application without its instance, such as demo-origin"
            ),
            (
                "sevu.update", "app", "demo-origin/live",
                "must be the name of an application without its instance, such as demo-origin"
            ),
            (
                "sevu.list", "app", "demo-origin/*",
                "must be the name of an application without its instance, such as demo-origin"
            ),
            (
                "sevu.sessions", "app", "demo-origin/live",
                "must be the name of an application without its instance, such as demo-origin"
            ),
            (
                "sevu.errorlog", "app", "demo-*/live",
                "must be the name of an application without its instance, such as demo-origin"
            ),
            (
                "sevu.errorcount", "app", "demo-origin/live",
                "must be the name of an application without its instance, such as demo-origin"
            ),
            ("sevu.errorcount", "ip", "1.2.3", "must be an IPv4 or IPv6 address or a CIDR block"),
            ("sevu.errorcount", "limit", "-1", "must be an integer from 0 to 1000000000"),
            ("sevu.errorlog", "limit", 1001, "must be an integer from 1 to 1000"),
            ("sevu.errorlog", "success", 2, "must be true or false (1 or 0)"),
            (
                "sevu.liststreamusers", "stream", "a/b",
                "must be 1 to 128 letters, digits, - _ . or ~, or * for every stream"
            ),
            ("sevu.updatestream", "protection", "password", "must be one of none, sevu, hmac, geoip, inherit"),
            ("stream.details", "app", "demo", "must be an application of the account, which begins with demo-"),
            ("stream.details", "app", "demo-a b", "must be an application of the account, which begins with demo-"),
            ("pushpublish.add", "service_name", "icecast", "icecast is not available on this server yet"),
            ("pushpublish.add", "dst_port", "70000", "must be a number from 1 to 65535"),
            ("pushpublish.services", "filters", "x", "must be an object"),
            (
                "pushpublish.services", "filters", ["dst_pass": "x"],
                "must be an object of values of push_service_id, name, service_name, app, inst, stream, autopush, adaptive_group"
            ),
            ("pushpublish.disconnect", "push_service_id", "one", "must be an integer from 1 to 9223372036854775807"),
        ] as [(String, String, JSONValue, String)])
    func invalid(command: String, field: String, value: JSONValue, expected: String) async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            var fields = Self.ticket
            for (name, value) in [
                "stream": "s", "inst": "live", "service_name": "rtmp", "dst_host": "live.example.com", "dst_app": "a",
                "dst_stream": "secretkey", "stream_id": "1", "key": "k",
            ] {
                fields[name] = .string(value)
            }
            if ["sevu.errorcount", "sevu.errorlog", "sevu.sessions"].contains(command) { fields["ip"] = nil }
            fields[field] = value
            let reply = try await api.call(command, fields)
            #expect(reply.code == 7, "\(reply.text)")
            #expect(reply.message == "One or more fields are not valid: \(field) \(expected)")
        }
    }

    @Test("Several wrong fields are named together")
    func severalWrongFieldsAreNamedTogether() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            var fields = Self.ticket
            fields["ip"] = "x"
            fields["uses"] = "y"
            fields["app"] = "x"
            let message = try #require(try await api.call("sevu.request", fields).message)
            let parts = message.split(separator: "; ")
            #expect(parts.count == 3)
            #expect(parts.map { $0.split(separator: " ").first } == ["One", "ip", "uses"])
            #expect(message.hasPrefix("One or more fields are not valid: app must be"))
        }
    }

    @Test("Clients may write values differently")
    func clientsMayWriteValuesDifferently() async throws {
        try await TestAPI.run { (api: TestAPI) async throws in
            var fields = Self.ticket
            for (uses, shown) in [(5, "5"), ("5", "5"), (5.0, "5"), ("0", "0")] as [(JSONValue, JSONValue)] {
                fields["uses"] = uses
                #expect(try await api.call("sevu.request", fields)["ticket"]?["uses"] == shown)
            }
            fields["pass"] = 12345
            #expect(try await api.call("sevu.request", fields)["ticket"]?["pass"] == "12345")
            for flag in [true, 1, "1", "true", "yes", "on"] as [JSONValue] {
                #expect(try await api.call("sevu.errorcount", ["success": flag]).code == 2051)
            }
        }
    }
}

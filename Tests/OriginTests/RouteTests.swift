import AsyncHTTPClient
import Basics
import Logging
import NIOCore
import NIOHTTP1
import Settings
import TestSupport
import Testing

@testable import Origin

/// Which path answers which method with what, asked of an origin over HTTP.
@Suite("Routes") struct RouteTests {
    /// What is asked, and the answer that is expected.
    struct Case: Sendable, CustomTestStringConvertible {
        var method: String
        var path: String
        var status: Int
        /// The whole body.
        var body: String
        /// Headers that have to have these values; nil: that must not be there.
        var headers: [String: String?] = [:]
        var testDescription: String { "\(method) \(path)" }
    }

    private static let json: [String: String?] = ["content-type": "application/json", "cache-control": "no-store"]
    private static let plain: [String: String?] = ["content-type": "text/plain; charset=utf-8"]

    /// The API's failure replies, without the time they took.
    private static func failure(_ code: Int, _ message: String) -> String {
        #"{"code":\#(code),"message":"\#(message)","status":"failure"}"#
    }

    private static let noBody =
        "The body is none of multipart\\/form-data, application\\/x-www-form-urlencoded, application\\/json"
    private static let offline = "/demo-origin/play/show/"

    private static let cases: [Case] =
        [
            Case(
                method: "GET", path: "/healthz", status: 200, body: "ok\n",
                headers: plain.merging(["cache-control": "no-store", "content-length": "3"]) { $1 }),
            Case(method: "HEAD", path: "/healthz", status: 200, body: "", headers: ["content-length": "3"]),
            Case(method: "GET", path: "/healthz/", status: 200, body: "ok\n"),
            Case(method: "GET", path: "/healthz?x=1", status: 200, body: "ok\n"),
            Case(
                method: "GET", path: "/readyz", status: 200,
                body: #"{"status":"ready","parts":{"store":{"status":"ok"},"connections":{"status":"ok"},"#
                    + #""memory":{"status":"ok"},"shutdown":{"status":"ok"}}}"# + "\n", headers: json),
            Case(method: "HEAD", path: "/readyz", status: 200, body: "", headers: ["content-type": "application/json"]),
            Case(method: "GET", path: "/usher/check", status: 403, body: "Forbidden.\n", headers: plain),
        ]
        + ["/stable", "/stable/", "/dev", "/dev/", "/stable/?a=b"].map {
            Case(method: "POST", path: $0, status: 200, body: failure(6, noBody), headers: json)
        }
        + ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"].map {
            Case(
                method: $0, path: "/stable/", status: 405, body: failure(0, "The API takes POST, not \($0)."),
                headers: json.merging(["allow": "POST"]) { $1 })
        }
        + [
            Case(
                method: "HEAD", path: "/dev", status: 405, body: "",
                headers: ["allow": "POST", "content-type": "application/json"])
        ]
        // A POST that no route is for was meant for the API.
        + ["/", "/stable/more", "/Stable/", "/healthz", "/v2/ticket", offline + "playlist.m3u8"].map {
            Case(
                method: "POST", path: $0, status: 404,
                body: failure(
                    0, "There is no API at \($0.replacing("/", with: "\\/")); it is at \\/stable\\/."),
                headers: json)
        }
        + ["playlist.m3u8", "chunklist.m3u8", "media_1.ts", "media_1.m4s", "init_1.mp4", "sess_abc/chunklist.m3u8"]
        .flatMap { file in
            [
                Case(
                    method: "GET", path: offline + file, status: 404, body: "The stream is offline.\n",
                    headers: plain.merging([
                        "cache-control": "public, max-age=1", "retry-after": "5", "access-control-allow-origin": "*",
                    ]) { $1 }),
                Case(
                    method: "HEAD", path: offline + file, status: 404, body: "",
                    headers: ["content-length": "23", "access-control-allow-origin": "*"]),
                Case(
                    method: "OPTIONS", path: offline + file, status: 204, body: "",
                    headers: [
                        "access-control-allow-methods": "GET, HEAD, OPTIONS", "access-control-allow-origin": "*",
                        "access-control-allow-headers": "If-None-Match, If-Range, Range", "content-length": nil,
                    ]),
            ]
        }
        + ["other.txt", "media_.ts", "media_1.mp4", "../x/playlist.m3u8"].map {
            Case(
                method: "GET", path: offline + $0, status: 404, body: "Not found.\n",
                headers: plain.merging(["access-control-allow-origin": "*"]) { $1 })
        }

    @Test("A path answers its methods, and no others")
    func routes() async throws {
        try await withOrigin { (_: Origin, port: Int, _: LogLines) async throws in
            for row in RouteTests.cases {
                let answer = try await ask(row.method, "http://127.0.0.1:\(port)\(row.path)")
                #expect(answer.status == row.status, "\(row.testDescription)")
                #expect(
                    answer.body.replacing(/,"handle_time":"[^"]*"/, with: "") == row.body, "\(row.testDescription)")
                for (name, value) in row.headers {
                    #expect(answer.headers.first(name: name) == value, "\(row.testDescription): \(name)")
                }
                #expect(answer.headers["date"].count == 1, "\(row.testDescription)")
            }
        }
    }

    @Test(
        "What is at no path is nothing there",
        arguments: [
            "/", "/favicon.ico", "/index.html", "/a/b", "/stable/more", "/healthz/more", "/demo-origin", "//", "/%00",
        ])
    func nothingThere(path: String) async throws {
        try await withOrigin { (_: Origin, port: Int, _: LogLines) async throws in
            for method in ["GET", "HEAD", "DELETE"] {
                #expect(try await ask(method, "http://127.0.0.1:\(port)\(path)").status == 404, "\(method) \(path)")
            }
        }
    }

    private struct Answer {
        var status: Int
        var headers: HTTPHeaders
        var body: String
    }

    private func ask(_ method: String, _ url: String) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .init(rawValue: method)
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(600))
        let body = try await response.body.collect(upTo: 1 << 20)
        return Answer(status: Int(response.status.code), headers: response.headers, body: String(buffer: body))
    }
}

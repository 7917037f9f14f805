import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import Delivery

@Suite("Request heads") struct RequestHeadTests {
    private func read(_ text: String) -> RequestHead? {
        var searched = 0
        guard case .head(let head) = RequestHead.read(ByteBuffer(string: text), searched: &searched) else { return nil }
        return head
    }

    @Test("A head gives its target and the fields that are asked for, whatever their case")
    func fields() throws {
        let text =
            "GET /a/b/c?x=%20y HTTP/1.1\r\nHost: example.org:8080\r\nuser-agent: wrk\r\nRANGE:bytes=0-1 \r\n"
            + "Cookie: a=b\r\nX-Forwarded-For:  192.0.2.1 ,\t192.0.2.2\t\r\ncookie: c=d\r\nReferer:\r\n\r\n"
        let head = try #require(read(text + "GET /next"))
        #expect(head.method == .get)
        #expect(head.target == "/a/b/c?x=%20y")
        #expect(head.isVersion11)
        #expect(head.length == text.utf8.count)
        #expect(head[.host] == "example.org:8080")
        #expect(head[.range] == "bytes=0-1")
        #expect(head[.cookie] == "a=b")
        #expect(head.all(.cookie) == ["a=b", "c=d"])
        #expect(head.all(.forwardedFor) == ["192.0.2.1 ,\t192.0.2.2"])
        #expect(head[.referer] == "")
        #expect(head[.origin] == nil)
        #expect(head.all(.origin) == [])
        #expect(head.hostCount == 1)
        #expect(!head.isMoreThanHead)
        #expect(head.keepsAlive)
    }

    @Test(
        "Every field is known by its name and by no other",
        arguments: [
            ("Host", .host), ("Connection", .connection), ("Content-Length", .contentLength),
            ("Transfer-Encoding", .transferEncoding), ("Expect", .expect), ("Upgrade", .upgrade),
            ("Accept-Encoding", .acceptEncoding), ("If-None-Match", .ifNoneMatch), ("If-Range", .ifRange),
            ("Range", .range), ("Cookie", .cookie), ("Origin", .origin), ("Referer", .referer),
            ("X-Forwarded-For", .forwardedFor), ("X-Real-IP", .realAddress), ("X-Original-URI", .originalURI),
            ("X-Original-Method", .originalMethod),
        ] as [(String, RequestHead.Field)])
    func names(name: String, field: RequestHead.Field) throws {
        for name in [name, name.lowercased(), name.uppercased()] {
            let head = try #require(read("GET / HTTP/1.1\r\n\(name): v\r\n\r\n"))
            #expect(RequestHead.Field.allCases.filter { head.has($0) } == [field])
            #expect(head[field] == "v")
        }
        for other in ["\(name)x", "y\(name.dropFirst())", name.replacingOccurrences(of: "-", with: "_") + "_"] {
            let head = try #require(read("GET / HTTP/1.1\r\n\(other): v\r\n\r\n"))
            #expect(RequestHead.Field.allCases.filter { head.has($0) } == [])
        }
    }

    @Test(
        "A connection goes on after the response as version and Connection say",
        arguments: [
            ("1.1", nil, true), ("1.1", "close", false), ("1.1", "Keep-Alive, CLOSE", false),
            ("1.1", "keep-alive", true),
            ("1.0", nil, false), ("1.0", "Keep-Alive", true), ("1.0", "close", false),
        ] as [(String, String?, Bool)])
    func persistence(version: String, connection: String?, keepsAlive: Bool) throws {
        let field = connection.map { "Connection: \($0)\r\n" } ?? ""
        #expect(try #require(read("GET / HTTP/\(version)\r\n\(field)\r\n")).keepsAlive == keepsAlive)
    }

    @Test(
        "What is not a player's head to the letter is left to the decoder",
        arguments: [
            "POST / HTTP/1.1\r\n\r\n", "get / HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n",
            "GET / HTTP/1.2\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET / \r\n\r\n", "\r\n\r\n",
            "GET http://a/b/c/d HTTP/1.1\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\n\r\n", "GET /\u{7F} HTTP/1.1\r\n\r\n", "GET /ä HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
            "GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n", "GET / HTTP/1.1\r\nA: \u{7F}\r\n\r\n", "GET / HTTP/1.1\nA: b\r\n\r\n",
            "GET / HTTP/1.1\r\nÄ: b\r\n\r\n",
        ])
    func others(text: String) {
        #expect(isOther(text))
    }

    private func isOther(_ text: String) -> Bool {
        var searched = 0
        guard case .other = RequestHead.read(ByteBuffer(string: text), searched: &searched) else { return false }
        return true
    }

    @Test("Whatever is longer than the decoder takes is left to it, too")
    func longHeads() {
        #expect(isOther("GET / HTTP/1.1\r\n\(String(repeating: "A: b\r\n", count: 129))\r\n"))
        #expect(isOther("GET / HTTP/1.1\r\nA: \(String(repeating: "b", count: 16 << 10))\r\n\r\n"))
        #expect(isOther("GET /\(String(repeating: "b", count: 32 << 10)) HTTP/1.1\r\n\r\n"))
        #expect(isOther(String(repeating: "b", count: (32 << 10) + 1)))
    }

    @Test("A head may come in any pieces, and its limits are its own")
    func pieces() throws {
        let text =
            "HEAD /\(String(repeating: "a", count: 16_000)) HTTP/1.0\r\n\(String(repeating: "A: b\r\n", count: 128))\r\n"
        var buffer = ByteBuffer()
        var searched = 0
        for (index, byte) in text.utf8.enumerated() {
            guard case .incomplete = RequestHead.read(buffer, searched: &searched) else {
                Issue.record("read after \(index) bytes")
                return
            }
            #expect(searched == index)
            buffer.writeInteger(byte)
        }
        guard case .head(let head) = RequestHead.read(buffer, searched: &searched) else {
            Issue.record("not read")
            return
        }
        #expect(head.length == text.utf8.count)
        #expect(head.method == .head)
        #expect(!head.isVersion11)
    }

    /// What the library's decoder makes of the bytes; nil: it refuses them, or has no whole head.
    private func decoded(_ bytes: ByteBuffer) -> HTTPRequestHead? {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        guard (try? channel.writeInbound(bytes)) != nil,
            case .head(let head) = try? channel.readInbound(as: HTTPServerRequestPart.self)
        else { return nil }
        return head
    }

    @Test("Whatever is read here, the library's decoder reads, too, and the same")
    func likeTheDecoder() throws {
        let seeds = [
            "GET /a/b/c HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\nCookie: a=b\r\nCookie: c\r\n\r\n",
            "OPTIONS /* HTTP/1.1\r\nHost: a\r\nAccept-Encoding:gzip\r\nX-Original-URI: /a?b\r\nRange: \t bytes=0- \r\n\r\n",
            "HEAD /b/c/d?e HTTP/1.0\r\nIf-None-Match: \"x\", W/\"y\"\r\nX-Forwarded-For: ::1\r\n\r\n",
        ]
        let pieces = [
            "\r\n", "\r", "\n", " ", "\t", ":", ": ", "\0", "\u{7F}", "é", "HTTP/1.1", "Host", "GET ", ",", "a",
        ]
        var random = SeededGenerator(seed: 7)
        var read = 0
        for round in 0..<30_000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let index = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes.insert(contentsOf: (pieces.randomElement(using: &random) ?? "").utf8, at: index)
                case 1 where index < bytes.count: bytes.remove(at: index)
                case 2 where index < bytes.count: bytes[index] = UInt8.random(in: 0...255, using: &random)
                default: break
                }
            }
            var searched = 0
            guard case .head(let head) = RequestHead.read(ByteBuffer(bytes: bytes), searched: &searched) else {
                continue
            }
            read += 1
            let text = String(decoding: bytes, as: UTF8.self).debugDescription
            guard let other = decoded(ByteBuffer(bytes: bytes.prefix(head.length))) else {
                Issue.record("only read here: \(text)")
                continue
            }
            #expect(other.method.rawValue == head.method.rawValue, "\(text)")
            #expect(other.uri == head.target, "\(text)")
            #expect((other.version == .http1_1) == head.isVersion11, "\(text)")
            #expect(other.isKeepAlive || !head.keepsAlive, "\(text)")
            for (field, name) in [
                (RequestHead.Field.host, "host"), (.cookie, "cookie"), (.acceptEncoding, "accept-encoding"),
                (.range, "range"), (.ifNoneMatch, "if-none-match"), (.forwardedFor, "x-forwarded-for"),
                (.originalURI, "x-original-uri"),
            ] {
                // The decoder leaves white space at the end, which is no part of the value.
                #expect(other.headers[name].map { String($0.trimmed) } == head.all(field), "\(text)")
            }
            let again = try #require(RequestHead(other), "\(text)")
            #expect(again.target == head.target)
            #expect(again.all(.cookie) == head.all(.cookie))
        }
        #expect(read > 5_000, "\(read)")
    }
}

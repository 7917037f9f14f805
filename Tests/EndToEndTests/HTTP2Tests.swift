import Foundation
import TestSupport
import Testing

/// HTTP/2 on the running program: with real clients, and with peers that break it.
@Suite("HTTP/2", .serialized) struct HTTP2Tests {
    private static let stalled = "HTTP connection closed: the client takes nothing of its response"

    @Test(
        "What HTTP/1 serves HTTP/2 serves alike, in clear text and inside TLS: playlists, segments, parts of them, API, health"
    )
    func alike() async throws {
        let source = try await SourceMedia.h264AAC()
        let setup = try await SecureSetup()
        let origin = try await setup.start()
        let account = try await origin.account()
        try await account.openStream("show")
        let encoder = try Encoder.ffmpeg(source, to: origin.rtmp("show"), before: ["-readrate", "4"])
        #expect(try await encoder.result().status == 0)
        let ended = try await origin.endedPlaylist("show")
        let segment = try #require(ended.segments.first?.name)
        let path = "/demo-origin/play/show"
        let plain = "http://127.0.0.1:\(origin.httpPort)"
        let tag = try #require(try await Web.get("\(plain)\(path)/\(segment)").headers["etag"])
        let requests: [(String, [String])] = [
            ("\(path)/playlist.m3u8", []), ("\(path)/chunklist.m3u8", ["-H", "Accept-Encoding: gzip"]),
            ("\(path)/\(segment)", []), ("\(path)/\(segment)", ["-H", "Range: bytes=100-199"]),
            ("\(path)/\(segment)", ["-H", "If-None-Match: \(tag)"]), ("\(path)/\(segment)", ["-I"]),
            ("\(path)/none.m4s", []), ("/a/b/c/playlist.m3u8", []), ("\(path)/\(segment)", ["-X", "OPTIONS"]),
            ("\(path)/", []), (path, []), ("\(path)/manifest.mpd", []), ("\(path)/thumbnail.jpg", []),
            ("\(path)/none.flv", []), ("\(path).flv", []),
            ("/healthz", []), ("/readyz", ["-I"]), ("/nothing", []), ("/stable/", []),
            ("\(path)/\(segment)", ["-d", "x=1"]),
        ]
        let folder = try Folder()
        func ask(_ url: String, _ options: [String]) async throws -> (head: [String], body: Data, version: String) {
            for name in ["head", "body"] { try? FileManager.default.removeItem(atPath: folder.file(name)) }
            let result = try await setup.curl(
                options + ["-D", folder.file("head"), "-o", folder.file("body"), "-w", "%{http_version}", url])
            #expect(result.status == 0, "\(url) \(options): \(result.errors)")
            let lines = folder.read("head").split(whereSeparator: \.isNewline).map { $0.lowercased() }
            let status = lines.first?.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            var body = FileManager.default.contents(atPath: folder.file("body")) ?? Data()
            var others = ["date:", "connection:"]
            // The API says how long it took.
            if let range = body.range(of: Data(#","handle_time""#.utf8)) {
                body = body[..<range.lowerBound]
                others.append("content-length:")
            }
            let fields = lines.dropFirst().filter { line in !others.contains { line.hasPrefix($0) } }
            return ([status] + fields.sorted(), body, result.text)
        }
        for (target, options) in requests {
            let first = try await ask(plain + target, ["--http1.1"] + options)
            let clear = try await ask(plain + target, ["--http2-prior-knowledge"] + options)
            let secure = try await ask(setup.url(target), ["--http2"] + options)
            #expect((first.version, clear.version, secure.version) == ("1.1", "2", "2"), "\(target)")
            for second in [clear, secure] {
                #expect(second.head == first.head, "\(target) \(options)")
                // Of a head alone curl writes the head.
                if !options.contains("-I") { #expect(second.body == first.body, "\(target) \(options)") }
            }
        }
        // A signed call, one with a body of more than a window, and bodies that are too large, announced and not.
        let signed = account.keys.text(command: "app.list", fields: [:], now: Date())
        for (url, option) in [(plain, "--http2-prior-knowledge"), (setup.url(""), "--http2")] {
            let reply = try await setup.curl([
                option, "-H", "Content-Type: application/json", "--data-binary", signed, "\(url)/stable/",
            ])
            #expect(reply.text.contains(#""code":2702"#), "\(reply.text)")
            for isAnnounced in [true, false] {
                let file = try folder.write(String(repeating: "{", count: 500_000), to: "large")
                let large = try await setup.curl(
                    [option, "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json"]
                        + (isAnnounced ? ["--data-binary", "@\(file)"] : ["-X", "POST", "-T", file]) + ["\(url)/stable"]
                )
                #expect(large.text == "200", "\(large.errors)")
            }
            // Answered before it has come, which not every client gets along with.
            let file = try folder.write(String(repeating: "{", count: 3_000_000), to: "large")
            let refused = try await ForeignProgram.run(["nghttp", "-nv", "-d", file, "\(url)/stable/"])
            #expect(refused.text.contains(":status: 413"), "\(refused.text.suffix(500))")
        }
        #expect(try await origin.stop().status == 0)
    }

    @Test("A playlist that is asked for before it is there comes when it is, beside other answers on the connection")
    func held() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let encoder = try Encoder.endless(source, to: origin.rtmp("show"))
        try await eventually("a playlist") { try await origin.mediaPlaylist("show") != nil }
        let playlist = try #require(try await origin.mediaPlaylist("show"))
        let next = playlist.mediaSequence + playlist.segments.count + 1
        let base = "http://127.0.0.1:\(origin.httpPort)/demo-origin/play/show/chunklist.m3u8"
        // Both on one connection, and what waits was asked for first.
        let result = try await ForeignProgram.output(of: ["nghttp", "\(base)?_HLS_msn=\(next)", base])
        let playlists = result.text.components(separatedBy: "#EXTM3U").dropFirst()
        #expect(playlists.map { $0.contains("media_\(next).") } == [false, true], "\(result.text)")
        encoder.kill()
    }

    @Test("Thousands of requests on a few connections are all answered, playlists beside segments")
    func load() async throws {
        let setup = try await SecureSetup()
        let scene = try await AttackScene(setup.settings, isFollowed: true, in: setup.folder)
        let segments = try await scene.largeSegments(bytes: 1 << 20)
        for base in ["http://127.0.0.1:\(scene.origin.httpPort)", "https://127.0.0.1:\(setup.https)"] {
            for (path, count) in [
                ("/demo-origin/play/large/chunklist.m3u8", 500), (segments[0], 50), ("/healthz", 100),
            ] {
                let result = try await ForeignProgram.output(of: [
                    "h2load", "-n", "\(count)", "-c", "5", "-m", "20", base + path,
                ])
                #expect(
                    result.text.contains(" \(count) succeeded, 0 failed, 0 errored, 0 timeout"),
                    "\(path): \(result.text)")
                #expect(result.text.contains("\(count) 2xx, 0 3xx, 0 4xx, 0 5xx"), "\(path): \(result.text)")
            }
        }
        #expect(scene.origin.logLines("HTTP connection closed") == 0)
        try await scene.finish()
    }

    @Test(
        "What is written as it comes comes over HTTP/2 as well: an FLV file that does not end, and a DASH segment in the making"
    )
    func streamed() async throws {
        let source = try await SourceMedia.h264AAC()
        let setup = try await SecureSetup()
        let origin = try await setup.start(["hls.segment_duration: 2"])
        try await origin.account().openStream("show")
        let encoder = try Encoder.ffmpeg(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let folder = try Folder()
        let clear = "http://127.0.0.1:\(origin.httpPort)/demo-origin/play/show"
        let flv = try [
            ("clear.flv", ["--http2-prior-knowledge", "\(clear).flv"]),
            ("secure.flv", ["--http2", setup.url("/demo-origin/play/show.flv")]),
        ].map { file, arguments in
            try ForeignProgram(
                ["curl", "-sS", "-N", "--cacert", setup.own.certificate, "-o", folder.file(file)] + arguments)
        }
        // The newest segment of the MPD is not whole yet.
        let mpd = try #require(MPDFile(try await HTTPGet(origin.manifest("show")).text))
        let segment = try #require(mpd.segments("video").last?.name)
        let open = try await setup.curl([
            "--http2", "-D", folder.file("head"), "-o", folder.file("open"),
            setup.url("/demo-origin/play/show/\(segment)"),
        ])
        #expect(open.status == 0, "\(open.errors)")
        let whole = try await HTTPGet("\(clear)/\(segment)")
        #expect(FileManager.default.contents(atPath: folder.file("open")).map { [UInt8]($0) } == whole.body)
        #expect(!folder.read("head").lowercased().contains("transfer-encoding"))
        #expect(try await encoder.result().status == 0)
        let sent = try await StreamPackets(file: source.path)
        for (program, file) in zip(flv, ["clear.flv", "secure.flv"]) {
            #expect(try await program.result().status == 0, "\(file): \(program.errors)")
            let received = try await StreamPackets(file: folder.file(file))
            expectSuffix(received, of: sent, viewer: file)
            #expect(received.all.video.count > 100 && received.all.audio.count > 100, "\(file)")
        }
        #expect(try await origin.stop().status == 0)
    }

    @Test(
        "Chromium plays low-latency HLS inside TLS over one connection of HTTP/2, and so does nothing else there",
        .enabled(if: Browser.isInstalled, "chromium is not installed"))
    func chromium() async throws {
        let setup = try await SecureSetup()
        let origin = try await setup.start([
            "hls.segment_duration: 1", "hls.window: 12", "player.hls_js: \(Places.player)",
        ])
        let account = try await origin.account()
        let encoder = try await origin.publish("mystream", as: account)
        let browser = try PageBrowser(
            setup.url("/demo-origin/play/mystream/"), options: ["--ignore-certificate-errors"])
        try await browser.wait(for: "document.getElementById('player').dataset.state", toBe: "playing")
        let time = "document.getElementById('video').currentTime"
        let first = try await browser.value(time).flatMap(Double.init) ?? 0
        try await eventually("the video to go on") {
            try await browser.value(time).flatMap(Double.init) ?? 0 > first + 2
        }
        let resources = "performance.getEntriesByType('resource').filter((entry) => entry.responseStatus == 200)"
        let parts = try await browser.value("\(resources).filter((entry) => entry.name.includes('/part_')).length")
        #expect(parts.flatMap(Int.init) ?? 0 >= 5, "\(parts ?? "")")
        #expect(try await browser.value("[...new Set(\(resources).map((entry) => entry.nextHopProtocol))]") == "h2")
        try await encoder.stop()
    }

    @Test(
        "Requests that are none are refused alone, with 400 or a reset, and the connection goes on",
        .timeLimit(.minutes(2)))
    func malformed() async throws {
        let origin = try await OriginProcess()
        let usual = [(":method", "GET"), (":scheme", "http"), (":path", "/healthz"), (":authority", "a")]
        func without(_ name: String) -> [(String, String)] { usual.filter { $0.0 != name } }
        let requests: [(String, [(String, String)])] = [
            ("no method", without(":method")), ("no scheme", without(":scheme")), ("no path", without(":path")),
            ("an empty path", without(":path") + [(":path", "")]), ("two methods", [(":method", "GET")] + usual),
            ("two paths", usual + [(":path", "/")]), ("an unknown pseudo-header", usual + [(":x", "1")]),
            ("a response's", usual + [(":status", "200")]),
            ("a pseudo-header behind a field", without(":path") + [("a", "b"), (":path", "/")]),
            ("upper case", usual + [("Accept", "*/*")]), ("connection", usual + [("connection", "close")]),
            ("keep-alive", usual + [("keep-alive", "1")]), ("upgrade", usual + [("upgrade", "h2c")]),
            ("transfer-encoding", usual + [("transfer-encoding", "chunked")]),
            ("proxy-connection", usual + [("proxy-connection", "close")]), ("te", usual + [("te", "gzip")]),
            ("a line end in a value", usual + [("x", "a\r\nb: c")]), ("NUL in a value", usual + [("x", "a\0b")]),
            ("a space in a name", usual + [("x y", "a")]),
            ("a line end in the path", without(":path") + [(":path", "/demo-origin/play/show/x\r\nHost: b")]),
            ("a space in the path", without(":path") + [(":path", "/demo-origin/play/show/x y")]),
            ("two lengths", usual + [("content-length", "1"), ("content-length", "2")]),
            ("a length and no body", usual + [("content-length", "5")]),
        ]
        let peer = try await RawPeer.connect(port: origin.httpPort)
        await peer.send(HTTP2Bytes.opening())
        for (index, request) in requests.enumerated() {
            let stream = UInt32(4 * index + 1)
            await peer.send(HTTP2Bytes.frame(.headers, flags: 5, stream: stream, HTTP2Bytes.block(request.1)))
            await peer.send(HTTP2Bytes.get("/healthz", stream: stream + 2))
            try await eventually("an answer beside \(request.0)") {
                HTTP2Bytes.parse(peer.received).contains { $0.stream == stream + 2 && $0.status == 200 }
            }
            let frames = HTTP2Bytes.parse(peer.received).filter { $0.stream == stream }
            #expect(
                frames.contains { $0.status == 400 } || frames.contains { $0.isOf(.reset) && $0.code == 1 },
                "\(request.0): \(frames)")
            #expect(!frames.contains { $0.status == 200 }, "\(request.0)")
        }
        #expect(try await origin.stop().status == 0)
    }

    @Test(
        "A playlist passes segments that wait, a segment that the client wants first passes it, and equals take turns")
    func turns() async throws {
        let scene = try await AttackScene()
        let segments = try await scene.largeSegments(bytes: 1 << 20)
        let peer = try await RawPeer.connect(port: scene.origin.httpPort)
        // The connection's window is used up by the first.
        await peer.send(HTTP2Bytes.opening(window: 4 << 20) + HTTP2Bytes.get(segments[0], stream: 1))
        try await eventually("the first window") { peer.received.count > 65_535 }
        await peer.send(
            HTTP2Bytes.get(segments[1], stream: 3)
                + HTTP2Bytes.get("/demo-origin/play/large/chunklist.m3u8", stream: 5)
                + HTTP2Bytes.get(segments[2], stream: 7, [("priority", "u=1")]))
        try await eventually("all heads") {
            Set(HTTP2Bytes.parse(peer.received).filter { $0.isOf(.headers) }.map(\.stream)).count == 4
        }
        let before = HTTP2Bytes.parse(peer.received).count
        await peer.send(HTTP2Bytes.room(8 << 20))
        func rest() -> [HTTP2Bytes.Frame] {
            Array(HTTP2Bytes.parse(peer.received).dropFirst(before)).filter { $0.isOf(.data) }
        }
        try await eventually("all of it") { rest().filter { $0.flags & 1 == 1 }.count == 4 }
        let order = rest().map(\.stream)
        let urgent = order.prefix { $0 == 7 }
        #expect(urgent.count == order.filter { $0 == 7 }.count)
        #expect(order.dropFirst(urgent.count).first == 5)
        let equals = order.dropFirst(urgent.count).drop { $0 == 5 }
        #expect(Set(equals) == [1, 3])
        // As long as both have something.
        let turns = Array(equals.prefix(60))
        #expect(zip(turns, turns.dropFirst()).allSatisfy { $0 != $1 }, "\(turns)")
        try await scene.finish()
    }

    @Test("One response of which nothing is taken is reset, and others on the connection go on")
    func oneStalled() async throws {
        let scene = try await AttackScene(["http.send_timeout: 3s"])
        let segments = try await scene.largeSegments(bytes: 4 << 20)
        let peer = try await RawPeer.connect(port: scene.origin.httpPort)
        await peer.send(
            HTTP2Bytes.opening(window: 0) + HTTP2Bytes.room(64 << 20) + HTTP2Bytes.get(segments[0], stream: 1)
                + HTTP2Bytes.get(segments[1], stream: 3))
        try await eventually("the reset of the first", within: .seconds(60)) {
            // Of the other one a little at a time is taken.
            await peer.send(HTTP2Bytes.room(1_000, stream: 3))
            return HTTP2Bytes.parse(peer.received).contains { $0.isOf(.reset) && $0.stream == 1 && $0.code == 8 }
        }
        #expect(!peer.isClosed)
        let count = peer.received.count
        await peer.send(HTTP2Bytes.room(10_000, stream: 3))
        try await eventually("more of the other") { peer.received.count > count + 9_000 }
        #expect(!HTTP2Bytes.parse(peer.received).contains { $0.isOf(.reset) && $0.stream == 3 })
        try await scene.finish()
    }

    @Test("Requests with large headers whose bodies do not come are held within limits.bodies, and then answered 503")
    func halfOpen() async throws {
        let scene = try await AttackScene(["limits.bodies: 4MiB", "http.body_timeout: 5s"])
        // A name and a value in the table of the connection, named again and again: 28 KB of header for some bytes.
        let first = [0x40, 1, 0x61] + [0x7F, 0xA1, 0x1B] + [UInt8](repeating: 0x62, count: 3_616)
        let block = HTTP2Bytes.block("POST", "/stable/")
        try await scene.play(memory: 40 << 20) { scene in
            var peers: [RawPeer] = []
            for index in 0..<20 {
                let peer = try await RawPeer.connect(port: scene.origin.httpPort, from: "127.0.7.\(index + 1)")
                // Headers may be as large as announced once that is acknowledged.
                var bytes = HTTP2Bytes.opening() + HTTP2Bytes.frame(.settings, flags: 1)
                for stream in 0..<100 {
                    let fields = (stream == 0 ? first : []) + [UInt8](repeating: 0xBE, count: 7)
                    bytes += HTTP2Bytes.frame(.headers, flags: 4, stream: UInt32(2 * stream + 1), block + fields)
                }
                await peer.offer(bytes)
                peers.append(peer)
            }
            try await eventually("an answer to all") {
                peers.allSatisfy { peer in
                    HTTP2Bytes.parse(peer.received).filter { $0.isOf(.headers) }.count == 100
                }
            }
            // 4 MiB hold some hundred, and are free again when those have waited long enough.
            let sentences = peers.map { String(decoding: $0.received, as: UTF8.self) }
            let refused = sentences.reduce(0) {
                $0 + $1.components(separatedBy: "the server holds as many request bodies as it may").count - 1
            }
            #expect(refused > 1_000, "\(refused)")
            for peer in peers { await peer.close() }
            return peers
        }
        try await scene.finish()
    }

    @Test("An origin that ends lets a download over HTTP/2 come to its end")
    func drain() async throws {
        let setup = try await SecureSetup()
        let scene = try await AttackScene(setup.settings + ["server.drain_timeout: 30s"], in: setup.folder)
        let segments = try await scene.largeSegments(bytes: 2 << 20)
        let whole = try await HTTPGet("http://127.0.0.1:\(scene.origin.httpPort)\(segments[0])").body
        let folder = try Folder()
        let path = folder.file("segment")
        let download = try ForeignProgram([
            "curl", "-sS", "--http2", "--cacert", setup.own.certificate, "--limit-rate", "500k", "-o", path,
            setup.url(segments[0]),
        ])
        try await eventually("the download's beginning") {
            FileManager.default.contents(atPath: path)?.isEmpty == false
        }
        let idle = try await RawPeer.connect(port: scene.origin.httpPort)
        await idle.send(HTTP2Bytes.opening() + HTTP2Bytes.get("/healthz", stream: 1))
        try await eventually("an answer") { HTTP2Bytes.parse(idle.received).contains { $0.isOf(.data) } }
        scene.origin.signal(SIGTERM)
        try await eventually("the end of the idle connection") { idle.isClosed }
        #expect(HTTP2Bytes.parse(idle.received).contains { $0.isOf(.goAway) && $0.code == 0 })
        let ended = try await download.result()
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(FileManager.default.contents(atPath: path).map { [UInt8]($0) } == whole)
        #expect(try await scene.origin.stop(within: 60).status == 0)
    }

    @Test("Peers that give no window are closed, and hold each segment once until then")
    func noWindow() async throws {
        let scene = try await AttackScene(
            ["http.send_timeout: 3s", "http.idle_timeout: 3600s", "hls.segment_duration: 1"], isFollowed: true)
        let segments = try await scene.largeSegments(bytes: 4 << 20)
        try await scene.play(memory: 64 << 20) { scene in
            var peers: [RawPeer] = []
            for index in 0..<100 {
                let peer = try await RawPeer.connect(port: scene.origin.httpPort, from: "127.0.2.\(index % 10 + 1)")
                var bytes = HTTP2Bytes.opening(window: index % 2 == 0 ? 0 : 100)
                for stream in 0..<100 {
                    bytes += HTTP2Bytes.get(segments[stream % segments.count], stream: UInt32(2 * stream + 1))
                }
                await peer.offer(bytes)
                peers.append(peer)
            }
            // Asking whether it is still there is not taking anything.
            for round in 0..<10 {
                for peer in peers {
                    await peer.offer(HTTP2Bytes.frame(.ping, [UInt8](repeating: UInt8(round), count: 8)))
                }
            }
            try await eventually("all to be closed", within: .seconds(60)) { peers.allSatisfy(\.isClosed) }
            return peers
        }
        #expect(scene.origin.logLines(Self.stalled) == 50)
        try await scene.finish()
    }

    @Test(
        "Floods of resets, pings, settings and continuations, halves of frames, slow bodies and nonsense end their connections"
    )
    func floods() async throws {
        let scene = try await AttackScene(
            ["http.header_timeout: 3s", "http.body_timeout: 3s", "http.idle_timeout: 10s"], isFollowed: true)
        let path = "/demo-origin/play/show/playlist.m3u8"
        func many(_ count: Int, _ make: (UInt32) -> [UInt8]) -> [UInt8] {
            (0..<UInt32(count)).flatMap(make)
        }
        var noise = SeededGenerator(seed: 11)
        let opening = HTTP2Bytes.opening()
        let attacks: [(String, [UInt8], code: UInt32?)] = [
            (
                "resets",
                opening
                    + many(400) {
                        HTTP2Bytes.get(path, stream: 2 * $0 + 1)
                            + HTTP2Bytes.frame(.reset, stream: 2 * $0 + 1, HTTP2Bytes.number(8))
                    }, 11
            ),
            ("pings", opening + many(700) { HTTP2Bytes.frame(.ping, HTTP2Bytes.number($0) + [0, 0, 0, 0]) }, 11),
            ("settings", opening + many(700) { _ in HTTP2Bytes.frame(.settings) }, 11),
            (
                "continuations",
                opening + HTTP2Bytes.frame(.headers, flags: 1, stream: 1, HTTP2Bytes.block("GET", path))
                    + many(100) { _ in HTTP2Bytes.frame(.continuation, stream: 1, [0x00, 1, 0x61, 1, 0x62]) }, nil
            ),
            ("half a frame", opening + HTTP2Bytes.get(path, stream: 1).dropLast(5), nil),
            (
                "half a header",
                opening + HTTP2Bytes.frame(.headers, flags: 1, stream: 1, HTTP2Bytes.block("GET", path)), nil
            ),
            (
                // A response that does not end keeps the connection from being idle.
                "half a header behind a ping",
                HTTP2Bytes.opening(window: 1 << 30) + HTTP2Bytes.room(1 << 30)
                    + HTTP2Bytes.get("/demo-origin/play/show.flv", stream: 1)
                    + HTTP2Bytes.frame(.ping, [UInt8](repeating: 1, count: 8))
                    + HTTP2Bytes.frame(.headers, flags: 1, stream: 3, HTTP2Bytes.block("GET", path)), nil
            ),
            ("no settings", HTTP2Bytes.preface, nil),
            ("a cut preface", Array("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".utf8), nil),
            (
                "a slow body",
                opening + HTTP2Bytes.frame(.headers, flags: 4, stream: 1, HTTP2Bytes.block("POST", "/stable/")), nil
            ),
            (
                "windows",
                opening + many(10) { _ in HTTP2Bytes.frame(.window, HTTP2Bytes.number(0x7FFF_FFFF)) }, 3
            ),
            ("a large frame", opening + [0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1], nil),
            ("noise", opening + (0..<4_000).map { _ in .random(in: 0...255, using: &noise) }, nil),
            ("nothing", opening, 0),
            (
                "a header bomb",
                opening
                    + HTTP2Bytes.frame(
                        .headers, flags: 5, stream: 1,
                        [0x40, 1, 0x61, 0x7F, 0x81, 0x1E] + [UInt8](repeating: 0x62, count: 4_000)
                            + [UInt8](repeating: 0xBE, count: 10_000)), nil
            ),
        ]
        try await scene.play(memory: 64 << 20) { scene in
            var peers: [(RawPeer, Int)] = []
            for index in 0..<(attacks.count * 3) {
                let attack = index % attacks.count
                let peer = try await RawPeer.connect(port: scene.origin.httpPort, from: "127.0.6.\(index % 3 + 1)")
                await peer.offer(attacks[attack].1)
                peers.append((peer, attack))
            }
            try await eventually("all to be closed", within: .seconds(90)) { peers.allSatisfy(\.0.isClosed) }
            for (peer, attack) in peers {
                guard let code = attacks[attack].code else { continue }
                let frames = HTTP2Bytes.parse(peer.received)
                #expect(frames.contains { $0.isOf(.goAway) && $0.code == code }, "\(attacks[attack].0): \(frames)")
            }
            return peers.map(\.0)
        }
        try await scene.finish()
    }
}

import Foundation
import TestSupport
import Testing

/// TLS on the running program, with real clients.
@Suite("TLS", .serialized) struct SecureTests {
    @Test("ffmpeg publishes and plays over RTMPS, and what HTTPS serves is what HTTP serves, and plays")
    func playsAndPublishes() async throws {
        let source = try await SourceMedia.h264AAC()
        let setup = try await SecureSetup()
        let origin = try await setup.start()
        let account = try await origin.account()
        try await account.openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.ffmpeg(source, to: setup.rtmp("show"))
        try await origin.untilPublished("show")
        #expect(try await account.details("show")?["encoder"]?.objectValue?.string("protocol") == "rtmps")
        // Inside TLS and outside, from one publisher.
        let players = [
            try Player(.ffmpeg, setup.rtmp("show"), into: folder, name: "secure"),
            try Player(.ffmpeg, origin.rtmp("show"), into: folder, name: "plain"),
        ]
        let path = "/demo-origin/play/show"
        let follower = folder.file("hls.mkv")
        let viewer = try ForeignProgram([
            "ffmpeg", "-v", "error", "-tls_verify", "1", "-ca_file", setup.own.certificate, "-i",
            setup.url("\(path)/playlist.m3u8"), "-map", "0", "-c", "copy", follower,
        ])
        #expect(try await encoder.result().status == 0)
        let sent = try await StreamPackets(file: source.path)
        for player in players {
            let received = try await player.packets()
            expectSuffix(received, of: sent, viewer: player.path)
            #expect(received.all.video.count > 25 && received.all.audio.count > 25, "\(player.path)")
        }
        let result = try await viewer.result()
        #expect(result.status == 0, "\(result.errors)")
        let frames = try await ForeignProgram.output(of: [
            "ffprobe", "-v", "error", "-count_packets", "-select_streams", "v", "-show_entries",
            "stream=nb_read_packets", "-of", "csv=p=0", follower,
        ])
        #expect((Int(frames.text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) >= 50, "\(frames.text)")

        let ended = try await origin.endedPlaylist("show")
        for name in ["playlist.m3u8", "chunklist.m3u8"] + ended.segments.map(\.name) {
            let plain = try await HTTPGet("http://127.0.0.1:\(origin.httpPort)\(path)/\(name)")
            let secure = folder.file("secure")
            let fetched = try await setup.curl(["-o", secure, "-w", "%{http_code}", setup.url("\(path)/\(name)")])
            #expect(fetched.text == "200", "\(name): \(fetched.errors)")
            #expect(FileManager.default.contents(atPath: secure).map { [UInt8]($0) } == plain.body, "\(name)")
        }
        #expect(origin.logLines("TLS connection closed") == 0, "\(origin.log)")
        #expect(try await origin.stop().status == 0)
    }

    @Test("TLS 1.2 and 1.3 are spoken, nothing older; certificates are chosen by name; API, health and cookies know it")
    func handshakes() async throws {
        let setup = try await SecureSetup()
        let origin = try await setup.start()
        let account = try await origin.account()
        for version in ["--tlsv1.2", "--tlsv1.3"] {
            let maximum = ["--tls-max", String(version.suffix(3))]
            let reply = try await setup.curl([version] + maximum + ["-w", " %{http_code}", setup.url("/healthz")])
            #expect(reply.text == "ok\n 200", "\(version): \(reply.errors)")
        }
        let old = try await TestCertificate.served(port: setup.https, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        #expect(old.isEmpty)

        // By name, by star, and the first for all others; the same on both ports.
        let (own, other) = (try await setup.own.serial, try await setup.other.serial)
        #expect(own != other)
        for port in [setup.https, setup.rtmps] {
            for (name, serial) in [
                ("own.example", own), ("other.example", other), ("OTHER.example", other), ("a.live.example", other),
                ("live.example", own), ("a.b.live.example", own), ("nobody.example", own),
            ] {
                let served = try await TestCertificate.served(port: port, "-servername", name)
                #expect(served == serial, "\(name) on \(port)")
            }
            #expect(try await TestCertificate.served(port: port, "-noservername") == own)
        }
        let pinned = try await ForeignProgram.run([
            "curl", "-sS", "--cacert", setup.other.certificate, "--resolve", "other.example:\(setup.https):127.0.0.1",
            "https://other.example:\(setup.https)/healthz",
        ])
        #expect(pinned.text == "ok\n", "\(pinned.errors)")

        // The signed API, and the addresses in its replies.
        let signed = account.keys.text(command: "app.list", fields: [:], now: Date())
        let reply = try await setup.curl([
            "-H", "Content-Type: application/json", "--data-binary", signed, setup.url("/stable/"),
        ])
        #expect(reply.text.contains(#""code":2702"#), "\(reply.text)")
        #expect(
            reply.text.contains("https:\\/\\/127.0.0.1:\(setup.https)\\/demo-origin\\/play\\/STREAM\\/playlist.m3u8"))

        // A session's cookie that was given inside TLS never leaves it.
        let source = try await SourceMedia.h264AAC()
        try await account.openStream(
            "paid", ["protection": "hmac", "hmac_secrets": .string(TokenTests.secret)])
        let encoder = try Encoder.endless(source, to: setup.rtmp("paid"))
        try await origin.untilPublished("paid")
        let token = try await TokenTests.sign("exp=\(TokenTests.later(300))~acl=/demo-origin/*")
        let path = "/demo-origin/play/paid/playlist.m3u8?\(token)"
        let secure = try await setup.curl(["-D", "-", "-o", "/dev/null", setup.url(path)])
        let plain = try await setup.curl(["-D", "-", "-o", "/dev/null", "http://127.0.0.1:\(origin.httpPort)\(path)"])
        func cookie(_ head: String) -> String {
            head.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix("set-cookie") }.map(String.init)
                ?? ""
        }
        #expect(cookie(secure.text).hasSuffix("; HttpOnly; SameSite=Lax; Secure"), "\(secure.text)")
        #expect(cookie(plain.text).hasSuffix("; HttpOnly; SameSite=Lax"), "\(plain.text)")
        encoder.kill()
    }

    @Test("A replaced certificate is served to whoever comes, under a download and a publish that go on")
    func replacedWhileRunning() async throws {
        let setup = try await SecureSetup()
        let scene = try await AttackScene(setup.settings, isFollowed: true, in: setup.folder)
        let segments = try await scene.largeSegments(bytes: 4 << 20)
        try await scene.account.openStream("secure")
        let encoder = try Encoder.endless(scene.source, to: setup.rtmp("secure"))
        try await scene.origin.untilPublished("secure")
        let folder = try Folder()
        let path = folder.file("segment")
        // Some ten seconds.
        let download = try ForeignProgram([
            "curl", "-sS", "--cacert", setup.own.certificate, "--limit-rate", "400k", "-o", path,
            setup.url(segments[0]),
        ])
        func downloaded() -> Int { FileManager.default.contents(atPath: path)?.count ?? 0 }
        try await eventually("the download's beginning") { downloaded() > 0 }

        let next = try await TestCertificate("next", in: folder)
        let again = try await TestCertificate("again", kind: .rsa, in: folder)
        let (own, serial, last) = (try await setup.own.serial, try await next.serial, try await again.serial)
        // Half of it: the old one stays, and one line says so however often it is looked at.
        try TestCertificate.move(next.certificate, to: setup.own.certificate)
        try await eventually("the line of the half") {
            scene.origin.logLines("certificate not read, the one from before stays", "the key does not fit") == 2
        }
        #expect(try await TestCertificate.served(port: setup.https) == own)
        try TestCertificate.move(next.key, to: setup.own.key)
        for port in [setup.https, setup.rtmps] {
            try await eventually("the new certificate") { try await TestCertificate.served(port: port) == serial }
        }
        try setup.own.replace(with: again)
        for port in [setup.https, setup.rtmps] {
            try await eventually("the newest certificate") { try await TestCertificate.served(port: port) == last }
        }
        // One line for each listener, and not more for each look.
        #expect(scene.origin.logLines("certificate not read") <= 4)
        #expect(scene.origin.logLines("certificate read", "file=\(setup.own.certificate)") == 4)

        let whole = try await HTTPGet("http://127.0.0.1:\(scene.origin.httpPort)\(segments[0])").body
        #expect(try await download.result().status == 0)
        #expect(FileManager.default.contents(atPath: path).map { [UInt8]($0) } == whole)
        #expect(encoder.isRunning && scene.origin.publishers("secure") == 1)
        #expect(scene.origin.logLines("publisher left") == 0)
        encoder.kill()
        try await scene.finish()
    }

    @Test(
        "Silence, garbage, half of a handshake and other protocols on the ports of TLS end, and cost little until then")
    func hostileHandshakes() async throws {
        let setup = try await SecureSetup()
        let scene = try await AttackScene(
            setup.settings + ["http.header_timeout: 3s", "rtmp.handshake_timeout: 3s"], isFollowed: true,
            in: setup.folder)
        // A client's first message as openssl sends it, taken from a server that only listens.
        let hello = try await SecureTests.hello()
        var garbage = SeededGenerator(seed: 7)
        let openings: [[UInt8]] = [
            [], Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), [3, 0, 0, 0, 0], Array("\u{16}\u{3}".utf8), hello,
            Array(hello.dropLast()), [22, 3, 1, 0x40, 0] + hello.dropFirst(5),
            hello + (0..<2_000).map { _ in .random(in: 0...255, using: &garbage) },
            hello + [21, 3, 3, 0, 2, 2, 40], (0..<600).map { _ in .random(in: 0...255, using: &garbage) },
            hello.enumerated().map { $0.offset > 60 ? $0.element ^ 0x55 : $0.element },
            [22, 3, 1, 0, 1, 1], Array(repeating: [22, 3, 1, 0, 1, 0], count: 40).flatMap { $0 },
        ]
        try await scene.play(memory: 96 << 20) { scene in
            var peers: [(RawPeer, opening: Int)] = []
            for index in 0..<(openings.count * 40) {
                let opening = index % openings.count
                let port = index % 2 == 0 ? setup.https : setup.rtmps
                let peer = try await RawPeer.connect(port: port, from: "127.0.5.\(index % 4 + 1)")
                await peer.offer(openings[opening])
                peers.append((peer, opening))
            }
            try await eventually("all to be closed", within: .seconds(60)) { peers.allSatisfy(\.0.isClosed) }
            for (index, (peer, opening)) in peers.enumerated() where opening == 1 && index % 2 == 0 {
                #expect(peer.text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"), "\(peer.text)")
                #expect(peer.text.hasSuffix("\r\n\r\nThis port takes connections with TLS only (https).\n"))
            }
            return peers.map(\.0)
        }
        // Of one network five lines a minute, whatever it does.
        #expect(scene.origin.logLines("TLS connection closed: ") == 20)
        #expect(try await setup.curl([setup.url("/healthz")]).text == "ok\n")
        try await scene.finish()
    }

    @Test(
        "Clients inside TLS that never read are closed and hold each segment once until then; one that is slow has all of it"
    )
    func slowReaders() async throws {
        try AttackScene.raiseDescriptorLimit(to: 4_096)
        let setup = try await SecureSetup()
        let scene = try await AttackScene(
            setup.settings + [
                "http.send_timeout: 3s", "http.idle_timeout: 3600s", "hls.segment_duration: 1", "hls.window: 6",
            ],
            isFollowed: true, in: setup.folder)
        let segments = try await scene.largeSegments(bytes: 4 << 20)
        try #require(segments.count == 5)
        let folder = try Folder()
        let path = folder.file("segment")
        let whole = try await HTTPGet("http://127.0.0.1:\(scene.origin.httpPort)\(segments[0])").body
        // 200 connections with a copy each would be 800 MiB; what is encrypted and waits is 128 KiB of each at most.
        try await scene.play(memory: 120 << 20) { scene in
            // Longer than the time in which one that stands still is closed.
            let download = try ForeignProgram([
                "curl", "-sS", "--cacert", setup.own.certificate, "--limit-rate", "300k", "-o", path,
                setup.url(segments[0]),
            ])
            let client = try RawPeer.tls()
            var peers: [RawPeer] = []
            for index in 0..<200 {
                let peer = try await RawPeer.connect(
                    port: setup.https, reads: false, from: "127.0.2.\(index % 10 + 1)", tls: client)
                let request = "GET \(segments[index % segments.count]) HTTP/1.1\r\nHost: a\r\n\r\n"
                await peer.offer(Array(String(repeating: request, count: 50).utf8))
                peers.append(peer)
            }
            try await eventually("the lines of those that were closed", within: .seconds(60)) {
                scene.origin.logLines("HTTP connection closed: the client takes nothing of its response") == 50
            }
            let result = try await download.result()
            #expect(result.status == 0, "\(result.errors)")
            return peers
        }
        #expect(FileManager.default.contents(atPath: path).map { [UInt8]($0) } == whole)
        try await scene.finish()
    }

    @Test("An origin that ends lets a download inside TLS come to its end, and closes who only holds a connection")
    func drain() async throws {
        let setup = try await SecureSetup()
        let scene = try await AttackScene(
            setup.settings + ["server.drain_timeout: 30s"], in: setup.folder)
        let segments = try await scene.largeSegments(bytes: 2 << 20)
        let whole = try await HTTPGet("http://127.0.0.1:\(scene.origin.httpPort)\(segments[0])").body
        let folder = try Folder()
        let path = folder.file("segment")
        let download = try ForeignProgram([
            "curl", "-sS", "--cacert", setup.own.certificate, "--limit-rate", "500k", "-o", path,
            setup.url(segments[0]),
        ])
        try await eventually("the download's beginning") {
            FileManager.default.contents(atPath: path)?.isEmpty == false
        }
        let idle = try await RawPeer.connect(port: setup.https, tls: RawPeer.tls())
        await idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        try await eventually("an answer") { idle.text.hasSuffix("ok\n") }
        scene.origin.signal(SIGTERM)
        try await eventually("the end of the idle connection") { idle.isClosed }
        #expect(scene.origin.isRunning && download.isRunning)
        #expect(try await download.result().status == 0)
        #expect(FileManager.default.contents(atPath: path).map { [UInt8]($0) } == whole)
        let result = try await scene.origin.stop(within: 60)
        #expect(result.status == 0, "\(result.errors)")
    }

    /// What openssl sends first.
    private static func hello() async throws -> [UInt8] {
        let port = try FreePort.take()
        let folder = try Folder()
        let listener = try ForeignProgram([
            "python3", "-c",
            """
            import socket,sys
            s=socket.create_server(('127.0.0.1',int(sys.argv[1])));open(sys.argv[2]+'/ready','w')
            c=s.accept()[0];open(sys.argv[2]+'/hello','wb').write(c.recv(65536))
            """, "\(port)", folder.path,
        ])
        try await eventually("a listener") { FileManager.default.fileExists(atPath: folder.file("ready")) }
        _ = try await ForeignProgram.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "own.example"], input: Data())
        _ = try await listener.result()
        return [UInt8](FileManager.default.contents(atPath: folder.file("hello")) ?? Data())
    }
}

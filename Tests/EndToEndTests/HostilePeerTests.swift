import Foundation
import TestSupport
import Testing

/// Peers that want to do harm: each is sent away with one line in the log, and nobody else notices.
@Suite(.serialized) struct HostilePeerTests {
    struct Attack: Sendable {
        var name: String
        var bytes: [UInt8]
        /// What the log says about it; empty: whatever it is.
        var code: String
    }

    /// Random, and the same in every run.
    private static let noise: [UInt8] = {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<65_536).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }()
    private static func setChunkSize(_ size: UInt32) -> [UInt8] {
        [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) }
    }
    /// `connect` with an object 64 levels deep, in one chunk.
    private static let deepObject: [UInt8] = {
        var body: [UInt8] = [2, 0, 7] + Array("connect".utf8) + [0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]
        for _ in 0..<64 { body += [3, 0, 1, UInt8(ascii: "a")] }
        let length = UInt8(truncatingIfNeeded: body.count >> 8)
        return setChunkSize(4_096) + [3, 0, 0, 0, 0, length, UInt8(truncatingIfNeeded: body.count), 20, 0, 0, 0, 0]
            + body
    }()

    static let attacks = [
        Attack(name: "another version", bytes: [6] + [UInt8](repeating: 1, count: 1536), code: "handshakeVersion"),
        Attack(name: "HTTP", bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8), code: "handshakeVersion"),
        Attack(name: "noise", bytes: noise, code: "handshakeVersion"),
        Attack(name: "silence", bytes: [], code: "timeout"),
        Attack(name: "half a handshake", bytes: [3] + [UInt8](repeating: 0, count: 700), code: "timeout"),
        Attack(name: "no connect", bytes: RTMPBytes.handshake, code: "timeout"),
        Attack(name: "noise after the handshake", bytes: RTMPBytes.handshake + noise, code: ""),
        Attack(
            name: "a chunk size of 2³¹", bytes: RTMPBytes.handshake + setChunkSize(0x8000_0000),
            code: "invalidChunkSize"),
        Attack(name: "a chunk size of 0", bytes: RTMPBytes.handshake + setChunkSize(0), code: "invalidChunkSize"),
        Attack(
            name: "a message of 16 MB", bytes: RTMPBytes.handshake + [4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0],
            code: "messageTooLarge"),
        Attack(
            name: "chunks of one byte",
            bytes: RTMPBytes.handshake + setChunkSize(1) + [4, 0, 0, 0, 1, 0, 0, 9, 1, 0, 0, 0, 0]
                + (0..<65_535).flatMap { _ in [0xC4, 0] as [UInt8] },
            code: "decodeWorkExceeded"),
        Attack(name: "a deep object", bytes: RTMPBytes.handshake + deepObject, code: "amfLimitExceeded"),
    ]

    @Test("RTMP peers that break the rules are sent away, and nobody else")
    func rtmpPeersThatBreakTheRulesAreSentAwayAlone() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["rtmp.handshake_timeout: 1s"])
        try await origin.account().openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let player = try Player(.rtmpdump, origin.rtmp("show"), into: folder)
        try await player.moves()
        for attack in HostilePeerTests.attacks {
            let before = origin.logLines("RTMP connection ended")
            let peer = try await RawPeer.connect(port: origin.rtmpPort)
            await peer.send(attack.bytes)
            try await eventually("\(attack.name): the origin hangs up") { peer.isClosed }
            try await eventually("\(attack.name): the log") { origin.logLines("RTMP connection ended") > before }
            let line = origin.log.split(separator: "\n").last { $0.contains("RTMP connection ended") } ?? ""
            #expect(line.contains("address=127.0.0.1"), "\(attack.name): \(line)")
            if !attack.code.isEmpty { #expect(line.contains("code=\(attack.code)"), "\(attack.name): \(line)") }
            #expect(try await HTTPGet("http://127.0.0.1:\(origin.httpPort)/healthz").status == 200)
            try await player.moves()
        }
        #expect(origin.logLines("RTMP connection ended") == HostilePeerTests.attacks.count)
        #expect(encoder.isRunning && player.program.isRunning && origin.isRunning)
    }

    @Test("HTTP peers that break the rules are sent away, and nobody else")
    func httpPeersThatBreakTheRulesAreSentAwayAlone() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["http.idle_timeout: 1s"])
        try await origin.account().openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let player = try Player(.rtmpdump, origin.rtmp("show"), into: folder)
        let endings = [
            ("an endless header", "GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 1 << 20)),
            (
                "endless headers",
                "GET /healthz HTTP/1.1\r\nHost: a\r\n"
                    + String(repeating: "X: aaaaaaaaaaaaaaaaaaaaaaaa\r\n", count: 20_000)
            ), ("an endless path", "GET /" + String(repeating: "a", count: 1 << 20)),
            ("no HTTP", String(decoding: HostilePeerTests.noise.map { $0 & 0x7F }, as: UTF8.self)),
            ("half a request", "GET /healthz HTTP/1.1\r\nHost: a\r\n"), ("silence", ""),
        ]
        for (name, text) in endings {
            let peer = try await RawPeer.connect(port: origin.httpPort)
            await peer.send(text)
            try await eventually("\(name): the origin hangs up") { peer.isClosed }
            #expect(!peer.text.contains("200 OK"), "\(name)")
            #expect(try await HTTPGet("http://127.0.0.1:\(origin.httpPort)/healthz").status == 200, "\(name)")
            try await player.moves()
        }

        // A byte now and then is no request either.
        let slow = try await RawPeer.connect(port: origin.httpPort)
        await slow.send("GET /healthz HTTP/1.1\r\nX: ")
        try await eventually("the origin loses patience", within: .seconds(60)) {
            await slow.send("a")
            return slow.isClosed
        }

        let large = try await RawPeer.connect(port: origin.httpPort)
        await large.send("POST /stable/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n")
        await large.send([UInt8](repeating: UInt8(ascii: "a"), count: 2 << 20))
        try await eventually("an answer") { large.text.contains("\r\n\r\n") }
        #expect(large.text.hasPrefix("HTTP/1.1 413 "), "\(large.text)")
        // Before a body that is announced too large has come.
        let announced = try await RawPeer.connect(port: origin.httpPort)
        await announced.send(
            "POST /stable/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{"
        )
        try await eventually("an answer") { announced.text.contains("\r\n\r\n") || announced.isClosed }
        #expect(announced.text.hasPrefix("HTTP/1.1 413 "), "\(announced.text)")

        try await player.moves()
        #expect(encoder.isRunning && player.program.isRunning && origin.isRunning)
    }

    @Test("One address takes no more connections than it may")
    func oneAddressTakesNoMoreConnectionsThanItMay() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["limits.connections_per_address: 30", "rtmp.handshake_timeout: 60s"])
        try await origin.account().openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let player = try Player(.rtmpdump, origin.rtmp("show"), into: folder)
        try await player.moves()

        var flood: [RawPeer] = []
        for index in 0..<100 {
            let peer = try? await RawPeer.connect(port: index.isMultiple(of: 2) ? origin.rtmpPort : origin.httpPort)
            if let peer { flood.append(peer) }
        }
        // Publisher and player hold two places, the API's own connection may hold another.
        try await eventually("the limit") { flood.count(where: \.isClosed) >= flood.count - 28 }
        let open = flood.count { !$0.isClosed }
        #expect(open == 28 || open == 27, "\(open) of \(flood.count)")
        try await player.moves()
        #expect(encoder.isRunning && player.program.isRunning && origin.isRunning)
        // Said once, not for each.
        #expect(origin.logLines("too many connections", "address=127.0.0.1") == 1)

        for peer in flood { await peer.close() }
        let late = try Player(.rtmpdump, origin.rtmp("show"), into: folder, name: "late")
        try await late.moves()
    }
}

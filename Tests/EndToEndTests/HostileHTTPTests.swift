import Foundation
import TestSupport
import Testing

/// HTTP peers that hold what they can: the origin lives, its memory stays bounded, and encoder and viewers notice nothing.
///
/// The log has five lines a minute of one kind from one network and fifty from all: who is to be counted there comes from
/// ten addresses.
@Suite("Hostile HTTP peers", .serialized) struct HostileHTTPTests {
    private static let stalled = "HTTP connection closed: the client takes nothing of its response"

    @Test("Clients that ask for large segments and never read are closed; they hold each segment once until then")
    func segmentsThatNobodyReads() async throws {
        try AttackScene.raiseDescriptorLimit(to: 4_096)
        let scene = try await AttackScene(
            ["http.send_timeout: 3s", "http.idle_timeout: 3600s", "hls.segment_duration: 1", "hls.window: 6"],
            isFollowed: true)
        // Each connection with a copy of its own of a segment would be more than a gigabyte.
        let segments = try await scene.largeSegments(bytes: 4 << 20)
        try #require(segments.count == 5)
        try await scene.play(memory: 48 << 20) { scene in
            var peers: [RawPeer] = []
            for index in 0..<300 {
                let peer = try await RawPeer.connect(
                    port: scene.origin.httpPort, reads: false, from: "127.0.2.\(index % 10 + 1)")
                let request = "GET \(segments[index % segments.count]) HTTP/1.1\r\nHost: a\r\n\r\n"
                await peer.offer(Array(String(repeating: request, count: 50).utf8))
                peers.append(peer)
            }
            // Who reads has the whole of what the others leave waiting.
            let reply = try await HTTPGet("http://127.0.0.1:\(scene.origin.httpPort)\(segments[0])")
            #expect(reply.status == 200)
            #expect(reply.headers["content-length"] == "\(reply.body.count)")
            #expect(reply.body.count > 4 << 20)
            try await eventually("the lines of those that were closed", within: .seconds(60)) {
                scene.origin.logLines(HostileHTTPTests.stalled) == 50
            }
            return peers
        }
        #expect(scene.origin.logLines(HostileHTTPTests.stalled) == 50)
        try await scene.finish()
    }

    @Test("Clients that pipeline requests by the thousand and never read are closed, and hold little until then")
    func pipeliningWithoutReading() async throws {
        let scene = try await AttackScene(
            ["http.send_timeout: 3s", "http.idle_timeout: 3600s", "hls.segment_duration: 1"], isFollowed: true)
        let segments = try await scene.largeSegments(bytes: 1 << 20)
        // The answers to five of them are more than the kernel takes for one connection.
        let request = "GET \(segments[0]) HTTP/1.1\r\nHost: a\r\n\r\n"
        let requests = Array(String(repeating: request, count: 20_000).utf8)
        try await scene.play(memory: 48 << 20) { scene in
            var peers: [RawPeer] = []
            for index in 0..<100 {
                let peer = try await RawPeer.connect(
                    port: scene.origin.httpPort, reads: false, from: "127.0.2.\(index % 10 + 1)")
                await peer.offer(requests)
                peers.append(peer)
            }
            try await eventually("the lines of those that were closed", within: .seconds(60)) {
                scene.origin.logLines(HostileHTTPTests.stalled) == 50
            }
            return peers
        }
        #expect(scene.origin.logLines(HostileHTTPTests.stalled) == 50)
        try await scene.finish()
    }

    @Test("Bodies that come slowly are given up; what one address may have waiting is bounded")
    func slowBodies() async throws {
        let scene = try await AttackScene(["http.body_timeout: 15s", "limits.bodies: 4MiB"], isFollowed: true)
        let port = scene.origin.httpPort
        let head = "POST /stable/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        try await scene.play(memory: 32 << 20) { scene in
            // A byte now and then: in a body of announced length, and in one of chunks.
            var slow: [RawPeer] = []
            for index in 0..<100 {
                let peer = try await RawPeer.connect(port: port, from: "127.0.3.\(index % 10 + 1)")
                await peer.send(
                    head + (index < 50 ? "Content-Length: 900000\r\n\r\n{" : "Transfer-Encoding: chunked\r\n\r\n"))
                slow.append(peer)
            }
            // Nearly all of a large body. An address has a quarter of four MiB, which is one such body: of those that come
            // one stays, whichever it is, although there is room for a fourth.
            var large: [RawPeer] = []
            for index in 0..<40 {
                let peer = try await RawPeer.connect(port: port, from: "127.0.4.\(index % 3 + 1)")
                await peer.offer(Array((head + "Content-Length: 1000000\r\n\r\n").utf8))
                await peer.offer([UInt8](repeating: UInt8(ascii: "{"), count: 900_000))
                large.append(peer)
            }
            try await eventually("all but three large bodies to be refused") { large.count(where: \.isClosed) >= 37 }
            var looks = 0
            try await eventually("the others' time to be over", within: .seconds(60)) {
                looks += 1
                for (index, peer) in slow.enumerated() where looks.isMultiple(of: 20) && !peer.isClosed {
                    await peer.offer(Array((index < 50 ? "{" : "1\r\n{\r\n").utf8))
                }
                return (slow + large).allSatisfy(\.isClosed)
            }
            func count(_ peers: [RawPeer], _ status: Int) -> Int {
                peers.count { $0.text.hasPrefix("HTTP/1.1 \(status) ") }
            }
            #expect(count(slow, 408) == 100)
            #expect(count(large, 503) == 37)
            #expect(count(large, 408) == 3)
            // What they had is free for others.
            try await scene.account.succeed("app.list")
            return slow + large
        }
        try await scene.finish()
    }

    @Test("Two thousand connections at once, silent, half-way or answered, cost little, and go")
    func manyConnections() async throws {
        try AttackScene.raiseDescriptorLimit(to: 4_096)
        let scene = try await AttackScene(
            ["http.idle_timeout: 20s", "http.header_timeout: 20s", "limits.connections_per_address: 5000"],
            isFollowed: true)
        let openings = ["", "GET /healthz HTTP/1.1\r\nHos", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"]
        try await scene.play(memory: 96 << 20) { scene in
            var peers: [RawPeer] = []
            for index in 0..<2_000 {
                let peer = try await RawPeer.connect(port: scene.origin.httpPort)
                await peer.send(openings[index % openings.count])
                peers.append(peer)
            }
            #expect(try scene.facts().descriptors > 2_000)
            #expect(try await HTTPGet(scene.origin.playlist("show")).status == 200)
            try await eventually("the origin hangs up on all", within: .seconds(120)) { peers.allSatisfy(\.isClosed) }
            let answers = ["", "HTTP/1.1 408 ", "HTTP/1.1 200 "]
            let isAnswered = peers.enumerated().map { index, peer in
                peer.text.hasPrefix(answers[index % answers.count])
                    && peer.text.components(separatedBy: "HTTP/1.1").count == (index % answers.count > 0 ? 2 : 1)
            }
            #expect(isAnswered.allSatisfy { $0 })
            return peers
        }
        try await scene.finish()
    }

    @Test("Clients that pipeline by the hundred and read have all their answers, in order")
    func pipelining() async throws {
        let scene = try await AttackScene(isFollowed: true)
        let requests = String(repeating: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", count: 499)
        try await scene.play(memory: 48 << 20) { scene in
            var peers: [RawPeer] = []
            for _ in 0..<100 {
                let peer = try await RawPeer.connect(port: scene.origin.httpPort)
                await peer.send(requests + "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                peers.append(peer)
            }
            try await eventually("the last answers", within: .seconds(120)) { peers.allSatisfy(\.isClosed) }
            for peer in peers {
                let statuses = peer.text.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
                #expect(statuses.count == 500)
                #expect(statuses.dropLast().allSatisfy { $0 == "200" })
                #expect(statuses.last == "404")
            }
        }
        try await scene.finish()
    }
}

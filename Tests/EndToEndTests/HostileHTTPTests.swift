import Foundation
import TestSupport
import Testing

/// HTTP peers that hold what they can: the origin lives, its memory stays bounded, and encoder and viewer notice nothing.
@Suite("Hostile HTTP peers", .serialized) struct HostileHTTPTests {
    @Test("Slow headers, slow bodies and clients that pipeline by the hundred end, and nobody else notices")
    func slowPeers() async throws {
        let scene = try await AttackScene([
            "http.header_timeout: 2s", "http.body_timeout: 2s", "http.send_timeout: 2s", "http.idle_timeout: 2s",
        ])
        let port = scene.origin.httpPort
        try await scene.play(memory: 96 << 20) { scene in
            var peers: [RawPeer] = []
            for index in 0..<300 {
                let peer = try await RawPeer.connect(port: port)
                switch index % 3 {
                case 0: await peer.send("GET /healthz HTTP/1.1\r\nHos")
                case 1: await peer.send("POST /stable/ HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\na")
                default:
                    await peer.send(String(repeating: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", count: 500))
                }
                peers.append(peer)
            }
            try await eventually("the origin hangs up on all", within: .seconds(60)) { peers.allSatisfy(\.isClosed) }
            #expect(peers.enumerated().allSatisfy { $0 % 3 == 2 || $1.text.hasPrefix("HTTP/1.1 408 ") })
            return peers
        }
        try await scene.finish()
    }

    @Test("Two thousand silent connections cost little, and go")
    func silentConnections() async throws {
        try AttackScene.raiseDescriptorLimit(to: 4_096)
        let scene = try await AttackScene(["http.idle_timeout: 5s", "limits.connections_per_address: 5000"])
        let port = scene.origin.httpPort
        try await scene.play(memory: 160 << 20) { _ in
            var peers: [RawPeer] = []
            for _ in 0..<2_000 { peers.append(try await RawPeer.connect(port: port)) }
            try await eventually("the origin hangs up on all", within: .seconds(120)) { peers.allSatisfy(\.isClosed) }
            return peers
        }
        try await scene.finish()
    }
}

import Foundation
import TestSupport
import Testing

/// More connections than there are places for: what does not fit are viewers, and not encoders or the API.
@Suite("Crowds", .serialized) struct CrowdTests {
    /// Calls the API over a connection of its own.
    private func reply(of origin: OriginProcess, to account: TestAccount) async throws -> RawPeer {
        let body = account.keys.text(command: "app.list", fields: [:], now: Date())
        let peer = try await RawPeer.connect(port: origin.httpPort)
        await peer.send(
            """
            POST /stable/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\
            \(body)
            """)
        try await eventually("the API's reply") { peer.text.contains("\"handle_time\"") || peer.isClosed }
        return peer
    }

    private func crowd(_ count: Int, of origin: OriginProcess, saying text: String) async throws -> [RawPeer] {
        var peers: [RawPeer] = []
        for index in 0..<count {
            let peer = try await RawPeer.connect(port: origin.httpPort, from: "127.0.2.\(index % 10 + 1)")
            await peer.send(text)
            peers.append(peer)
        }
        return peers
    }

    @Test("Viewers and silent connections that fill everything keep neither an encoder nor an API call out")
    func reservedPlaces() async throws {
        let origin = try await OriginProcess([
            "limits.connections: 60", "limits.connections_reserved: 20", "http.idle_timeout: 600s",
        ])
        let account = try await origin.account()
        try await account.openStream("late")
        let viewers = try await crowd(
            100, of: origin, saying: "GET /demo-origin/play/late/playlist.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n")
        try await eventually("an answer to everybody") { viewers.allSatisfy { $0.text.contains("HTTP/1.1 ") } }
        let refused = viewers.filter { $0.text.hasPrefix("HTTP/1.1 503 ") }
        // The start's own connections may hold a place or two.
        #expect((60...62).contains(refused.count), "\(refused.count)")
        #expect(refused.allSatisfy { $0.text.contains("Retry-After: 5\r\n") })
        try await eventually("the end of those that were refused") { refused.allSatisfy(\.isClosed) }

        // Those who only wait for a place have to go when somebody comes.
        let silent = try await crowd(100, of: origin, saying: "")
        try await eventually("the silent to make room") { silent.count { $0.isClosed } >= 80 }
        let first = try await reply(of: origin, to: account)
        #expect(first.text.hasPrefix("HTTP/1.1 200 "), "\(first.text)")
        #expect(first.text.contains("Connection: close\r\n"))

        let encoder = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "late")
        #expect(encoder.isRunning, "\(encoder.events)")
        let player = try await RTMPPeer.connect(.play, port: origin.rtmpPort, stream: "late")
        #expect(!player.isRunning)
        #expect(player.ending?.description == "The server has as many viewers as it may have.")

        // What an encoder has it keeps, however many come.
        let more = try await crowd(200, of: origin, saying: "")
        try await eventually("the rest to make room") { more.count { $0.isClosed } >= 180 }
        #expect(try await reply(of: origin, to: account).text.hasPrefix("HTTP/1.1 200 "))
        #expect(!encoder.isClosed && encoder.ending == nil)
        // Once for a network, for ten of them.
        #expect(
            origin.logLines("viewers refused", "the places that are left are for encoders and the API", "limit=40")
                == 10)
        for peer in viewers + silent + more { await peer.close() }
        // Their places are free as soon as the server has seen their end.
        try await eventually("a place for a viewer") {
            try await RTMPPeer.connect(.play, port: origin.rtmpPort, stream: "late").isRunning
        }
    }

    @Test("Where the system allows fewer files than connections, the log says so, and those that fit are served")
    func fewFiles() async throws {
        let origin = try await OriginProcess(["http.idle_timeout: 600s"], files: 300)
        #expect(
            origin.logLines(
                "the system allows fewer open files than limits.connections needs", "open_files=300",
                "limits.connections=20000", "connections=100") == 1)
        let account = try await origin.account()
        let silent = try await crowd(400, of: origin, saying: "")
        try await eventually("those that do not fit to go") { silent.count { $0.isClosed } >= 300 }
        #expect(try await reply(of: origin, to: account).text.hasPrefix("HTTP/1.1 200 "))
        #expect(origin.logLines("Too many open files") == 0)
    }
}

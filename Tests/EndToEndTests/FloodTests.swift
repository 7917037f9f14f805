import Basics
import ControlAPI
import Foundation
import Storage
import Synchronization
import TestSupport
import Testing

/// Refusals by the thousand, while those who may come in do: what a crowd with made-up keys leaves is a count, and few rows.
@Suite("Floods", .serialized) struct FloodTests {
    /// Asks for playlists with keys that there are none of, over one connection after the other, until it is told to stop.
    private final class Crowd: Sendable {
        private let state = Mutex((isOver: false, asked: 0))
        private let port: Int
        private static let requestsOfConnection = 100

        init(port: Int) {
            self.port = port
        }

        func stop() { state.withLock { $0.isOver = true } }
        private var isOver: Bool { state.withLock { $0.isOver } }
        /// How many were refused.
        var refused: Int { state.withLock { $0.asked } }

        func run() async throws {
            while !isOver {
                let requests = (1...Self.requestsOfConnection).map { number in
                    // Every tenth of one network, the others of as many networks as there are.
                    let address =
                        number.isMultiple(of: 10)
                        ? "203.0.113.\(UInt8.random(in: 0...255))"
                        : "10.\(UInt8.random(in: 0...255)).\(UInt8.random(in: 0...255)).1"
                    return """
                        GET /demo-origin/play/paid/playlist.m3u8?key=\(UInt64.random(in: 0 ... .max))&pass=p HTTP/1.1\r\n\
                        Host: a\r\nX-Forwarded-For: \(address)\r\n\
                        \(number == Self.requestsOfConnection ? "Connection: close\r\n" : "")\r\n
                        """
                }
                let peer = try await RawPeer.connect(port: port)
                await peer.send(requests.joined())
                try await eventually("the end of a connection of the crowd") { peer.isClosed }
                let replies = peer.text.components(separatedBy: "HTTP/1.1 403 Forbidden\r\n").count - 1
                guard replies == Self.requestsOfConnection else {
                    throw ProgramFailure(description: "\(replies) were refused: \(peer.text.prefix(1_000))")
                }
                state.withLock { $0.asked += replies }
            }
        }
    }

    @Test("A crowd with made-up keys is counted exactly in few rows, and whoever has a ticket comes in beside it")
    func madeUpKeys() async throws {
        let scene = try await TicketScene(["http.trusted_proxies: [127.0.0.1]"])
        let (early, _) = try await scene.viewer(try await scene.ticket(uses: 1)).start()
        let revoked = try await scene.ticket(uses: 1)
        let (running, playlist) = try await scene.viewer(revoked).start()
        #expect(playlist.status == 200)
        let linesBefore = scene.origin.log.split(separator: "\n").count

        let crowd = Crowd(port: scene.origin.httpPort)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 { group.addTask { try await crowd.run() } }
            group.addTask {
                defer { crowd.stop() }
                // The API, admissions and a revocation beside it: each is answered, none is told to come again.
                for round in 0..<4 {
                    let tickets = try await withThrowingTaskGroup(of: TicketScene.Ticket.self) { group in
                        for _ in 0..<8 { group.addTask { try await scene.ticket(uses: 1) } }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    let masters = try await Curl.all(
                        tickets.map { .init(url: scene.origin.playlist("paid", query: $0.query)) })
                    let media = try zip(tickets, masters).map { try scene.viewer($0).media(in: $1) }
                    let replies = try await Curl.all(media.map { .init(url: $0) })
                    #expect(replies.map(\.status) == Array(repeating: 200, count: 8))
                    for ticket in tickets { #expect(try await scene.remaining(ticket) == "0") }
                    if round == 2 { try await scene.account.succeed("sevu.revoke", ["key": .string(revoked.key)]) }
                }
                #expect(try await Curl.get(running).status == 403)
                #expect(try await Curl.get(early).status == 200)
                // Until it has folded by network, and by application.
                try await eventually("a row for everybody's refusals", within: .seconds(60)) {
                    try await scene.log(["success": 0, "limit": 50]).contains { $0["ip"] == "0.0.0.0/0" }
                }
            }
            try await group.waitForAll()
        }

        // The revoked viewer's own refusal is one more.
        let refused = crowd.refused + 1
        try await eventually("\(refused) refusals in the log") {
            try await scene.account.succeed("sevu.errorcount", ["success": 0]).integer("error_count") == Int64(refused)
        }
        #expect(try await scene.account.succeed("sevu.errorcount", ["success": 1]).integer("error_count") == 34)
        let store = try await SQLiteStore.open(folder: scene.origin.folder.file("data"))
        let rows = try await store.attempts(
            accountID: 158, filter: AttemptFilter(isSuccess: false), limit: 1_000_000, offset: 0)
        try await store.close()
        #expect(rows.reduce(0) { $0 + $1.repeats } == refused)
        let folded = rows.filter { $0.video == "*" }
        #expect(folded.allSatisfy { $0.address == "0.0.0.0/0" })
        #expect(folded.contains { $0.reason == "Invalid Auth Token" && $0.repeats > 1 })
        let network = rows.filter { $0.address == "203.0.113.0/24" }
        #expect(network.contains { $0.repeats > 1 } && network.allSatisfy { $0.video == "paid" })
        // 2,048 in ten seconds, as the rows' own dates have them, and the folds.
        let newest = try #require(rows.map(\.date).max())
        let oldest = try #require(rows.map(\.date).min())
        #expect(rows.count <= (Int(newest.timeIntervalSince(oldest)) / 10 + 2) * 2_050)
        #expect(scene.origin.log.split(separator: "\n").count - linesBefore <= 5, "\(scene.origin.log.suffix(2_000))")
    }
}

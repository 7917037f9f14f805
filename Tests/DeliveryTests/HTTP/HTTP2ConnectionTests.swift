import HTTPTypes
import Live
import Logging
import NIOCore
import NIOEmbedded
import NIOHPACK
import TestSupport
import Testing

@testable import Admission
@testable import Delivery

/// HTTP/2 below its connection, and the connection without a socket.
@Suite("HTTP/2 connections") struct HTTP2ConnectionTests {
    // MARK: Frames

    @Test("Something is begun and not whole between the first byte of a frame and its last, and never within a body")
    func frames() {
        let pieces: [(bytes: [UInt8], isPartialWithin: Bool)] = [
            (HTTP2Bytes.preface, true),
            (HTTP2Bytes.frame(.settings), true),
            (HTTP2Bytes.frame(.ping, [UInt8](repeating: 1, count: 8)), true),
            (HTTP2Bytes.get("/", stream: 1), true),
            // A header in three frames is one thing.
            (
                HTTP2Bytes.frame(.headers, flags: 1, stream: 3, [1, 2, 3])
                    + HTTP2Bytes.frame(.continuation, stream: 3, [])
                    + HTTP2Bytes.frame(.continuation, flags: 4, stream: 3, [4]),
                true
            ),
            (HTTP2Bytes.frame(.window, [0, 0, 0, 1]), true),
            (HTTP2Bytes.frame(.data, stream: 3, [UInt8](repeating: 7, count: 300)), false),
            (HTTP2Bytes.frame(.data, flags: 1, stream: 3), false),
        ]
        var frames = HTTP2Frames()
        for (bytes, isPartialWithin) in pieces {
            for (index, byte) in bytes.enumerated() {
                let hasEnded = frames.came(ByteBuffer(bytes: [byte]).readableBytesView)
                let isLast = index == bytes.count - 1
                // A body's own header is no body.
                let isPartial = !isLast && (isPartialWithin || index < 8)
                #expect(frames.isPartial == isPartial, "byte \(index) of \(bytes.prefix(12))")
                #expect(hasEnded == (isLast && bytes != HTTP2Bytes.preface), "byte \(index) of \(bytes.prefix(12))")
            }
        }
        // All at once, with half a header behind.
        var whole = HTTP2Frames()
        let all = pieces.flatMap(\.bytes)
        let hasEnded = whole.came(ByteBuffer(bytes: all).readableBytesView)
        #expect(hasEnded && !whole.isPartial)
        let half = HTTP2Bytes.frame(.ping, [UInt8](repeating: 1, count: 8)) + HTTP2Bytes.frame(.headers, stream: 5, [1])
        let pingEnded = whole.came(ByteBuffer(bytes: half).readableBytesView)
        #expect(pingEnded && whole.isPartial)
    }

    @Test("The most urgent has the next turn, and what is equally urgent takes turns")
    func turns() {
        var turns = HTTP2Turns<String>()
        turns.add("segment 1", level: 7)
        turns.add("segment 2", level: 7)
        turns.add("playlist", level: 6)
        var order = [turns.next()]
        #expect(order == ["playlist"])
        order.removeAll()
        for _ in 0..<4 {
            guard let next = turns.next() else { break }
            order.append(next)
            turns.add(next, level: 7)
        }
        #expect(order == ["segment 1", "segment 2", "segment 1", "segment 2"])
        turns.add("wanted now", level: 0)
        let first = turns.next()
        #expect(first == "wanted now")
    }

    // MARK: Requests

    @Test(
        "What a client says of a request's urgency counts when it is well-formed",
        arguments: [
            ("u=0", 0), ("u=7, i", 7), ("i, u=1", 1), ("u=2;x=1", 2), ("i", 3), ("", 3), ("u=8", 3), ("u=-1", 3),
            ("u", 3), ("u=x", 3), ("v=1", 3),
        ])
    func urgency(field: String, expected: Int) throws {
        let request = try #require(
            HTTP2Request(
                [":method": "GET", ":scheme": "https", ":path": "/a/b/c/d", ":authority": "a", "priority": field],
                hasPlayback: true, isSecure: true))
        #expect(request.urgency == expected)
    }

    @Test("A request of a player reads as it would in HTTP/1.1, its cookies and its addresses in their order")
    func playersHead() throws {
        var headers: HPACKHeaders = [
            ":method": "GET", ":scheme": "https", ":path": "/a/b/c/d?x=1", ":authority": "h:1",
        ]
        headers.add(name: "cookie", value: "a=1")
        headers.add(name: "cookie", value: "b=2")
        headers.add(name: "x-forwarded-for", value: "192.0.2.1")
        headers.add(name: "range", value: "bytes=0-1")
        headers.add(name: "host", value: "other")
        let request = try #require(HTTP2Request(headers, hasPlayback: true, isSecure: true))
        guard case .player(let head) = request.kind else {
            Issue.record("not a player's")
            return
        }
        #expect(head.target == "/a/b/c/d?x=1")
        #expect(head.all(.cookie) == ["a=1", "b=2"])
        #expect(head.all(.host) == ["h:1"])
        #expect(head[.range] == "bytes=0-1")
        #expect(request.size == headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 })
    }

    @Test(
        "What would read otherwise in HTTP/1.1 is no request",
        arguments: [
            ("GET", "/a/b/c/d\r\nx: y"), ("GET", "/a/b/c/d e"), ("GET", "/a/b/c/\u{1F600}"), ("GET", ""),
            ("CONNECT", nil),
        ] as [(String, String?)])
    func noRequests(method: String, path: String?) {
        var headers = HPACKHeaders([(":method", method), (":authority", "a")])
        if let path { headers.add(name: ":path", value: path) }
        let request = HTTP2Request(headers, hasPlayback: true, isSecure: false)
        // What is no player's is for the router, which knows no such path.
        if let path, !PlaybackService.takes(path) {
            if case .player = request?.kind { Issue.record("a player's") }
        } else {
            #expect(request == nil)
        }
    }

    // MARK: Writing

    /// Counts how often what was written goes to the socket.
    private final class FlushCounter: ChannelOutboundHandler {
        typealias OutboundIn = IOData
        private(set) var count = 0

        func flush(context: ChannelHandlerContext) {
            count += 1
            context.flush()
        }
    }

    @Test("A part and the playlist that names it, waited for on one connection, go out in one write, the part first")
    func oneWrite() async throws {
        let player = await TestPlayer(isProtected: false)
        player.admission.set { $0.knowsAll = true }
        let publication = try await player.publish(until: 1_100)
        let output = try #require(player.test.outputs.output(at: TestStage.address))
        let logger = CapturedLog().logger
        let shared = HTTPShared(
            limits: HTTPLimits(),
            memory: HTTPMemory(budget: MemoryBudget(ceiling: 1 << 30), maximumBodies: 1 << 20),
            playback: player.service, dates: HTTPDates(), log: LogLimiter(logger: logger),
            respond: { _, _, _ in (HTTPResponse(status: .notFound), ByteBuffer()) }, addCodec: { _ in })
        let channel = try await NIOAsyncTestingChannel { channel in
            try channel.pipeline.syncOperations.addHandlers(
                [FlushCounter()] + HTTP2Connection.handlers(shared, gate: nil, isSecure: false))
        }
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80))
        let playlist = try await player.get("\(TestPlayer.folder)/chunklist.m3u8")
        let hint = try #require(playlist.text.firstMatch(of: /PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/)?.1)
        try await channel.writeInbound(
            ByteBuffer(
                bytes: HTTP2Bytes.opening()
                    + HTTP2Bytes.get("\(TestPlayer.folder)/chunklist.m3u8?_HLS_msn=2&_HLS_part=0", stream: 1)
                    + HTTP2Bytes.get("\(TestPlayer.folder)/\(hint)", stream: 3)))
        await channel.testingEventLoop.run()
        #expect(output.held.count == 2)
        while try await channel.readOutbound(as: IOData.self) != nil {}
        let before = try await flushes(channel)
        try await player.test.send(FLVFile.sample(), to: publication, from: 1_100, until: 1_250)
        try await eventually("both to be let go") { output.held.count == 0 }
        await channel.testingEventLoop.run()
        #expect(try await flushes(channel) == before + 1)
        var bytes: [UInt8] = []
        while case .byteBuffer(let piece)? = try await channel.readOutbound(as: IOData.self) {
            bytes += Array(piece.readableBytesView)
        }
        let frames = HTTP2Bytes.parse(bytes)
        let ends = frames.filter { $0.isOf(.data) && $0.flags & 1 == 1 }.map(\.stream)
        #expect(ends == [3, 1])
        let part = frames.filter { $0.isOf(.data) && $0.stream == 3 }.flatMap(\.payload)
        #expect(part == output.current?.snapshot.open?.parts.first.map { Array($0.bytes.readableBytesView) })
        try await player.test.end(publication)
        _ = try await channel.finish(acceptAlreadyClosed: true)
    }

    private func flushes(_ channel: NIOAsyncTestingChannel) async throws -> Int {
        try await channel.testingEventLoop.executeInContext {
            try channel.pipeline.syncOperations.handler(type: FlushCounter.self).count
        }
    }
}

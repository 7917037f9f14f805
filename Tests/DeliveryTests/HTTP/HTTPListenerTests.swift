import Admission
import Foundation
import Hummingbird
import Live
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import Delivery

/// The listener with sockets on the other side.
@Suite("HTTP listener", .serialized) struct HTTPListenerTests {
    /// A client that sends what it is told, and reads or does not.
    private final class Peer: Sendable {
        private let channel: any Channel
        private let received: Received

        private final class Received: Sendable {
            let state = Mutex<(bytes: [UInt8], isClosed: Bool)>(([], false))
        }

        private final class Handler: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            let received: Received
            init(_ received: Received) { self.received = received }
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let bytes = unwrapInboundIn(data)
                received.state.withLock { $0.bytes.append(contentsOf: bytes.readableBytesView) }
            }
            func channelInactive(context: ChannelHandlerContext) { received.state.withLock { $0.isClosed = true } }
            func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
        }

        init(port: Int, reads: Bool = true) async throws {
            let received = Received()
            self.received = received
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.autoRead, value: reads)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Handler(received))
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
        }

        deinit { channel.close(promise: nil) }

        func send(_ text: String) async { try? await channel.writeAndFlush(ByteBuffer(string: text)) }
        func endInput() async { try? await channel.close(mode: .output) }
        func hangUp() async { try? await channel.close() }
        /// Ends the connection as a client does that is killed with bytes unread: with a reset.
        func reset() async {
            try? await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            try? await channel.close()
        }
        var text: String { received.state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }
        var count: Int { received.state.withLock { $0.bytes.count } }
        var isClosed: Bool { received.state.withLock { $0.isClosed } }
        /// The status of each answer.
        var statuses: [String] {
            text.split(separator: "HTTP/1.1 ", omittingEmptySubsequences: false).dropFirst().map {
                String($0.prefix(3))
            }
            .filter { Int($0) != nil }
        }
    }

    /// A handler that works until it is let go or told to stop.
    private final class Work: Sendable {
        private struct State {
            var isLetGo = false
            var begun = 0
            var stopped = 0
            var waiters: [CheckedContinuation<Void, Never>] = []
        }

        private let state = Mutex(State())

        var begun: Int { state.withLock { $0.begun } }
        var stopped: Int { state.withLock { $0.stopped } }

        func run() async {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isLetGo = state.withLock { state in
                        state.begun += 1
                        if !state.isLetGo { state.waiters.append(continuation) }
                        return state.isLetGo
                    }
                    if isLetGo { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.stopped += 1 }
                letGo()
            }
        }

        func letGo() {
            let waiters = state.withLock { state in
                defer { (state.isLetGo, state.waiters) = (true, []) }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }
    }

    private static let largeBytes = 32 << 20
    private static let large = ByteBuffer(repeating: 0x47, count: largeBytes)

    /// A listener with `/ok`, `/work`, which takes as long as the test says, `/large`, `/own`, which makes bytes for each answer, and `/body`, which says how long the
    /// request's body was.
    private func run(
        _ limits: HTTPLimits = HTTPLimits(), maximumBodies: Int = 64 << 20, playback: PlaybackService? = nil,
        log: CapturedLog = CapturedLog(), work: Work = Work(),
        _ body: (HTTPListener, MemoryBudget, HTTPMemory) async throws -> Void
    ) async throws {
        let router = Router(context: ConnectionRequestContext.self)
        router.get("ok") { _, _ in "ok" }
        router.get("work") { _, _ in
            await work.run()
            return "done"
        }
        router.get("large") { _, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: HTTPListenerTests.large))
        }
        router.get("own") { _, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(repeating: 0x47, count: 16 << 20)))
        }
        router.post("body") { request, _ in
            "\(try await request.body.collect(upTo: 4 << 20).readableBytes)"
        }
        router.post("refused") { _, _ in Response(status: .contentTooLarge, headers: [.connection: "close"]) }
        let logger = log.logger
        let budget = MemoryBudget(ceiling: 1 << 30)
        let memory = HTTPMemory(budget: budget, maximumBodies: maximumBodies)
        let listener = try await HTTPListener.bind(
            on: .address(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton, gate: nil,
            limits: limits,
            memory: memory, playback: playback, responder: router.buildResponder(), log: LogLimiter(logger: logger),
            logger: logger)
        do {
            try await body(listener, budget, memory)
        } catch {
            await listener.drain(within: .zero)
            throw error
        }
        await listener.drain(within: .zero)
    }

    @Test("A client that asks for segments and reads nothing holds one of them")
    func stalledReader() async throws {
        try await run { listener, budget, _ in
            let peer = try await Peer(port: listener.port, reads: false)
            for _ in 0..<12 { await peer.send("GET /own HTTP/1.1\r\nHost: a\r\n\r\n") }
            try await eventually("the response to wait") { budget.used > 0 }
            // Another one gets as many answers in this time as the first has asked for.
            for _ in 0..<12 {
                let other = try await Peer(port: listener.port)
                await other.send("GET /own HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                try await eventually("another's answer") { other.isClosed }
                #expect(other.count > 16 << 20)
            }
            try await eventually("the one response") { budget.used == 16 << 20 }
        }
    }

    @Test("A client that asks for segments and reads nothing is closed, and nothing is held for it then")
    func stalledReaderIsClosed() async throws {
        let log = CapturedLog()
        try await run(HTTPLimits(sendTimeout: .seconds(1)), log: log) { listener, budget, _ in
            let peer = try await Peer(port: listener.port, reads: false)
            for _ in 0..<12 { await peer.send("GET /own HTTP/1.1\r\nHost: a\r\n\r\n") }
            let closed = "HTTP connection closed: the client takes nothing of its response"
            try await eventually("the end of the connection") {
                log.texts.contains(closed) && listener.connectionCount == 0
            }
            try await eventually("the memory") { budget.used == 0 }
            withExtendedLifetime(peer) {}
        }
    }

    @Test("Clients that wait for the same segment hold its bytes once")
    func sharedBytes() async throws {
        try await run { listener, budget, _ in
            var peers: [Peer] = []
            for _ in 0..<4 {
                let peer = try await Peer(port: listener.port, reads: false)
                await peer.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
                peers.append(peer)
            }
            try await eventually("the responses to wait") { listener.connectionCount == 4 && budget.used > 0 }
            #expect(budget.used == HTTPListenerTests.large.storageCapacity)
            peers.removeAll()
            try await eventually("the memory") { budget.used == 0 }
        }
    }

    @Test(
        "Requests that come in one packet are answered in their order, also when the client then ends its side",
        arguments: [1, 3, 100])
    func pipelining(count: Int) async throws {
        try await run { listener, _, _ in
            let peer = try await Peer(port: listener.port)
            await peer.send(String(repeating: "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n", count: count))
            try await eventually("\(count) answers") { peer.statuses.count == count }
            #expect(peer.statuses.allSatisfy { $0 == "200" })
            await peer.endInput()
            try await eventually("the end of the connection") { listener.connectionCount == 0 }
        }
    }

    @Test(
        "What is no proper request is answered with what is wrong, once, and closed",
        arguments: [
            ("no Host", "GET /ok HTTP/1.1\r\n\r\n", "400"),
            ("two Hosts", "GET /ok HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
            (
                "a chunk without a size", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
                "400"
            ),
            ("an unknown coding", "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: other\r\n\r\nhello", "400"),
            ("no HTTP", "hello world\r\n\r\n", "400"),
            (
                "a long header", "GET /ok HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 40_000))\r\n\r\n",
                "431"
            ),
            (
                "a request after an answer that closes",
                "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /ok HTTP/1.1\r\nHost: a\r\n\r\n",
                "413"
            ),
            (
                "a chunked body past the limit",
                "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + String(repeating: "1000\r\n\(String(repeating: "a", count: 4_096))\r\n", count: 300), "413"
            ),
            ("half a header", "GET /ok HTTP/1.1\r\nHo", "408"),
            ("half a body", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", "408"),
        ])
    func rejections(name: String, request: String, status: String) async throws {
        try await run(HTTPLimits(headerTimeout: .seconds(1), bodyTimeout: .seconds(1))) { listener, budget, memory in
            let peer = try await Peer(port: listener.port)
            await peer.send(request)
            try await eventually("the end of the connection") { peer.isClosed }
            #expect(peer.statuses == [status], "\(name): \(peer.text.prefix(300))")
            try await eventually("the memory") { budget.used == 0 }
            #expect(memory.bodyBytes == 0)
        }
    }

    @Test("100 Continue comes before the body is sent")
    func expectation() async throws {
        try await run { listener, _, _ in
            let peer = try await Peer(port: listener.port)
            await peer.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            try await eventually("100 Continue") { peer.statuses == ["100"] }
            await peer.send("abc")
            try await eventually("the answer") { peer.statuses == ["100", "200"] }
        }
    }

    @Test("Bodies of all connections together are bounded, and one address has a quarter of that")
    func bodies() async throws {
        try await run(maximumBodies: 64 << 10) { listener, budget, memory in
            let first = try await Peer(port: listener.port)
            await first.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
            await first.send(String(repeating: "a", count: 16 << 10))
            try await eventually("the body") { memory.bodyBytes == 16 << 10 }
            #expect(budget.used == 16 << 10)
            let second = try await Peer(port: listener.port)
            await second.send("POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
            try await eventually("the refusal") { second.statuses == ["503"] }
            await first.send(String(repeating: "a", count: 20_000 - (16 << 10)))
            try await eventually("the refusal") { first.statuses == ["503"] }
            try await eventually("the memory") { budget.used == 0 && memory.bodyBytes == 0 }
        }
    }

    @Test(
        "A request whose client hangs up is told to stop, however the client does it",
        arguments: [("", false), ("", true), ("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n", false)])
    func hangUp(behind: String, resets: Bool) async throws {
        let work = Work()
        try await run(work: work) { listener, _, _ in
            let peer = try await Peer(port: listener.port)
            await peer.send("GET /work HTTP/1.1\r\nHost: a\r\n\r\n\(behind)")
            try await eventually("the request") { work.begun == 1 }
            if resets { await peer.reset() } else { await peer.hangUp() }
            try await eventually("the end of the work") { work.stopped == 1 }
            try await eventually("the end of the connection") { listener.connectionCount == 0 }
        }
    }

    @Test("A client that ends only its side of the connection gets the answer to what it asked")
    func halfClosed() async throws {
        let work = Work()
        try await run(work: work) { listener, _, _ in
            let peer = try await Peer(port: listener.port)
            await peer.send(
                "GET /work HTTP/1.1\r\nHost: a\r\n\r\nGET /ok HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { work.begun == 1 }
            await peer.endInput()
            try await eventually("the question whether it is there") { peer.statuses == ["100"] }
            work.letGo()
            try await eventually("the end of the connection") { peer.isClosed }
            #expect(peer.statuses == ["100", "200", "200"])
            #expect(peer.text.contains("done"))
            #expect(work.stopped == 0)
        }
    }

    @Test("Players are answered beside the router, each request in its turn, bodies of theirs passed over")
    func players() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        let folder = TestPlayer.folder
        try await run(playback: player.service) { listener, budget, _ in
            let peer = try await Peer(port: listener.port)
            let head = "HTTP/1.1\r\nHost: a\r\n"
            await peer.send(
                "GET /ok \(head)\r\n" + "GET \(folder)/chunklist.m3u8 \(head)\r\n"
                    + "HEAD \(folder)/media_2.m4s \(head)\r\n"
                    + "GET \(folder)/none.ts \(head)Content-Length: 3\r\n\r\nabc"
                    + "POST \(folder)/chunklist.m3u8 \(head)Content-Length: 0\r\n\r\n"
                    + "GET http://a\(folder)/chunklist.m3u8?x=1#y \(head)\r\n"
                    + "OPTIONS \(folder)/chunklist.m3u8 \(head)\r\n"
                    + "GET \(folder)/playlist.m3u8 \(head)Connection: close\r\n\r\n" + "GET /ok \(head)\r\n")
            try await eventually("the end of the connection") { peer.isClosed }
            #expect(peer.statuses == ["200", "200", "200", "404", "404", "200", "204", "200"])
            #expect(peer.text.split(separator: "\r\n\r\n").last?.hasPrefix("#EXTM3U") == true)
            #expect(peer.text.components(separatedBy: "Connection: close").count == 2)
            try await eventually("the memory") { budget.used == 0 }
        }
    }

    @Test(
        "A playlist that is shared goes out as one that is made for its request, but for what says that the connection ends"
    )
    func sharedPlaylists() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        try await run(playback: player.service) { listener, _, _ in
            for file in ["chunklist.m3u8", "playlist.m3u8", "chunklist.m3u8?_HLS_msn=3"] {
                for accepted in ["", "Accept-Encoding: gzip\r\n"] {
                    let peer = try await Peer(port: listener.port)
                    let head = "HTTP/1.1\r\nHost: a\r\n\(accepted)"
                    await peer.send(
                        "GET \(TestPlayer.folder)/\(file) \(head)\r\n"
                            + "GET \(TestPlayer.folder)/\(file) \(head)Connection: close\r\n\r\n")
                    try await eventually("the end of the connection") { peer.isClosed }
                    let date = /Date: [^\r]+\r\n/
                    let answers = peer.text.split(separator: "HTTP/1.1 200 OK\r\n").map {
                        $0.replacing(date, with: "", maxReplacements: 1)
                    }
                    #expect(peer.text.matches(of: date).count == 2)
                    #expect(answers.count == 2)
                    #expect(answers.first == answers.last?.replacing("Connection: close\r\n", with: ""))
                }
            }
        }
    }

    @Test(
        "Players' requests are answered in their order, however they come, also when the client then ends its side",
        arguments: [1, 7, 64, 1_000_000])
    func playersPieces(length: Int) async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        try await run(playback: player.service) { listener, budget, _ in
            let peer = try await Peer(port: listener.port)
            var expected: [String] = []
            var text = ""
            for index in 0..<40 {
                let file = index % 3 == 0 ? "none.ts" : "chunklist.m3u8"
                expected.append(index % 3 == 0 ? "404" : "200")
                text += "GET \(TestPlayer.folder)/\(file)?\(index) HTTP/1.1\r\nHost: a\r\nCookie: x=\(index)\r\n\r\n"
            }
            var rest = text[...]
            while !rest.isEmpty {
                await peer.send(String(rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            await peer.endInput()
            try await eventually("the end of the connection") { peer.isClosed }
            #expect(peer.statuses == expected)
            try await eventually("the end of the connection") { listener.connectionCount == 0 }
            #expect(budget.used == 0)
        }
    }

    @Test(
        "A player's request that is not complete is answered with what is wrong, and so is what follows one",
        arguments: [
            ("half a head and the end", "GET \(TestPlayer.folder)/chunklist.m3u8 HTTP/1.1\r\nHos", true, ["400"]),
            ("half a head", "GET \(TestPlayer.folder)/chunklist.m3u8 HTTP/1.1\r\nHos", false, ["408"]),
            (
                "two Hosts", "GET \(TestPlayer.folder)/chunklist.m3u8 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", false,
                ["400"]
            ),
            ("no Host", "GET \(TestPlayer.folder)/chunklist.m3u8 HTTP/1.1\r\n\r\n", false, ["400"]),
            (
                "nonsense behind a request",
                "GET \(TestPlayer.folder)/chunklist.m3u8 HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n", false,
                ["200", "400"]
            ),
            (
                "a folded field",
                "GET \(TestPlayer.folder)/chunklist.m3u8 HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", false, ["400"]
            ),
            (
                "another's request, then a player's",
                "GET /ok HTTP/1.1\r\nHost: a\r\n\r\nGET \(TestPlayer.folder)/none.ts HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                false, ["200", "400"]
            ),
        ])
    func playersFaults(name: String, text: String, ends: Bool, statuses: [String]) async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        try await run(HTTPLimits(headerTimeout: .seconds(1)), playback: player.service) { listener, _, _ in
            let peer = try await Peer(port: listener.port)
            await peer.send(text)
            if ends { await peer.endInput() }
            try await eventually("the end of the connection") { peer.isClosed }
            #expect(peer.statuses == statuses)
        }
    }

    @Test("A body that a player's request announces and that does not come ends the request")
    func playerBody() async throws {
        let player = await TestPlayer(isProtected: false)
        try await run(HTTPLimits(bodyTimeout: .seconds(1)), playback: player.service) { listener, _, _ in
            let peer = try await Peer(port: listener.port)
            await peer.send(
                "GET \(TestPlayer.folder)/playlist.m3u8 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
            try await eventually("the end of the connection") { peer.isClosed }
            #expect(peer.statuses == ["408"])
        }
    }

    @Test(
        "Segments that wait for a client are not counted again: who packaged them counts them until the client is gone")
    func segmentsCountedOnce() async throws {
        let player = await TestPlayer(isProtected: false)
        _ = try await player.publish()
        try await run(HTTPLimits(sendTimeout: .seconds(1)), playback: player.service) { listener, budget, _ in
            let peer = try await Peer(port: listener.port, reads: false)
            let request = "GET \(TestPlayer.folder)/media_2.m4s HTTP/1.1\r\nHost: a\r\n\r\n"
            try await eventually("the connection") { listener.connectionCount == 1 }
            await peer.send(String(repeating: request, count: 2_000))
            var most = 0
            try await eventually("the end of the connection") {
                most = max(most, budget.used)
                return listener.connectionCount == 0
            }
            #expect(most == 0)
        }
    }
}

import ControlAPI
import Foundation
import TestSupport
import Testing

/// What waits for the store has bounds (`WriteBatcher`, `ReadBatcher`: 16,384). A connection waits for one answer at a time, so the
/// bounds are reached by as many connections, which are fewer than `limits.connections` has by default.
@Suite("Full queues", .serialized) struct FullQueueTests {
    /// More than wait in a lane and in the transaction under way.
    private static let size = 16_384 + 512 + 304
    private static let waiting = 16_384
    private static let hasFiles = SocketCrowd.raiseFileLimit() >= 20_000

    /// Another process that holds the database until it is killed.
    private func holder(of scene: TicketScene, _ lines: String) async throws -> ForeignProgram {
        let program = try ForeignProgram([
            "python3", "-c",
            "import fcntl, sqlite3, sys, time\n\(lines)\nprint('held', flush=True)\ntime.sleep(600)\n",
            scene.origin.folder.file("data/playhouse.sqlite"),
        ])
        try await eventually("the lock: \(program.errors)") { program.output.contains("held") }
        return program
    }

    /// Nobody else writes.
    private static let writing = """
        database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
        database.execute('BEGIN IMMEDIATE')
        """
    /// Nobody begins to read: the places in which readers of the write-ahead log enter themselves are taken, as they are while one
    /// process mends it.
    private static let reading = """
        file = open(sys.argv[1] + '-shm', 'r+b')
        fcntl.lockf(file, fcntl.LOCK_EX, 5, 123)
        """

    /// KiB that the origin has in memory.
    private func memory(of scene: TicketScene) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(scene.origin.processID)/status", encoding: .utf8)
        return status.firstMatch(of: /VmRSS:\s+(\d+) kB/).flatMap { Int($0.1) } ?? 0
    }

    @Test(
        "Of a crowd that asks while the database is held as many wait as may, the others are told so, and none is lost",
        .enabled(if: hasFiles, "so many connections need 20,000 open files"))
    func filled() async throws {
        let begin = ContinuousClock.now
        let scene = try await TicketScene([
            "http.trusted_proxies: [127.0.0.1]", "http.idle_timeout: 600s", "hls.session_timeout: 600s",
        ])
        let origin = scene.origin
        let ticket = try await scene.ticket(uses: 0)
        let (early, playlist) = try await scene.viewer(try await scene.ticket(uses: 1)).start()
        #expect(playlist.status == 200)
        let player = try await RTMPPlayer(
            port: origin.rtmpPort, app: "demo-origin/live", stream: "paid" + (try await scene.ticket(uses: 1)).query)
        try await eventually("media") { player.mediaBytes > 0 }
        let crowd = SocketCrowd(port: origin.httpPort)
        try await crowd.grow(to: Self.size)
        /// Who runs already notices nothing.
        func untouched() async throws {
            let reply = try await Curl.get(early)
            #expect(reply.status == 200)
            #expect(try await Curl.get(try HLSViewer.lastSegment(of: reply, at: early)).status == 200)
            let bytes = player.mediaBytes
            try await eventually("more media") { player.mediaBytes > bytes }
        }
        func request(_ path: String, _ index: Int) -> String {
            """
            GET /demo-origin/play/paid/\(path)\(ticket.query) HTTP/1.1\r\nHost: a\r\n\
            X-Forwarded-For: 10.\(index >> 8).\(index & 255).1\r\n\r\n
            """
        }
        // A session that nobody knows: the answer is another one, which costs a use.
        let session = "sess_\(String(repeating: "A", count: 43))/chunklist.m3u8"
        func isToldToComeAgain(_ index: Int) -> Bool {
            guard let reply = crowd[index] else { return false }
            return reply.status == 503 && reply.has("Retry-After: 2")
        }

        // Writes. What waits in a transaction fails with it after five seconds, and comes again.
        let before = try memory(of: scene)
        let writer = try await holder(of: scene, Self.writing)
        for index in 0..<Self.size { try crowd.ask(index, request(session, index)) }
        var others = 0
        try await eventually("a full lane", within: .seconds(240)) {
            for index in crowd.collect() {
                if !isToldToComeAgain(index) { others += 1 }
                try crowd.ask(index, request(session, index))
            }
            return origin.logLines("viewers told to come again: more waits for the store than may") > 0
        }
        #expect(others == 0)
        try await untouched()
        let busy = try await scene.account.call("sevu.request", ["app": "demo-origin", "video": "paid", "pass": "p"])
        #expect(busy["code"] == 1000)
        let grown = try memory(of: scene) - before
        #expect(grown < 512 << 10, "\(grown) KiB for \(Self.size) who wait")
        writer.kill()
        others = 0
        try await eventually("a session for everybody", within: .seconds(240)) {
            for index in crowd.collect() where crowd[index]?.status != 302 {
                if !isToldToComeAgain(index) { others += 1 }
                try crowd.ask(index, request(session, index))
            }
            return (0..<Self.size).allSatisfy { crowd[$0]?.status == 302 }
        }
        #expect(others == 0)
        let status = try await scene.account.succeed("sevu.status", ["key": .string(ticket.key)])
        #expect(status.string("used_count") == "\(Self.size)" && status.string("sessions") == "\(Self.size)")

        // Readings. While one waits for the database a few come, which are then taken up together, and each of them waits as long:
        // nobody is taken out of the queue meanwhile.
        let reader = try await holder(of: scene, Self.reading)
        try await eventually("the first to wait") {
            try crowd.ask(0, request("playlist.m3u8", 0))
            // What was known of the stream a moment ago answers without the store, and sooner than these are answered.
            for _ in 0..<20 { #expect(try await HTTPGet("http://127.0.0.1:\(origin.httpPort)/healthz").status == 200) }
            crowd.collect()
            return crowd[0] == nil
        }
        let few = 1..<64
        for index in few { try crowd.ask(index, request("playlist.m3u8", index)) }
        try await eventually("the first to fail", within: .seconds(120)) {
            crowd.collect()
            return crowd[0] != nil
        }
        #expect(isToldToComeAgain(0))
        let crowded = few.upperBound..<Self.size
        for index in crowded { try crowd.ask(index, request("playlist.m3u8", index)) }
        let tooMany = crowded.count - Self.waiting
        try await eventually("an answer to those who are too many", within: .seconds(240)) {
            crowd.collect()
            return crowded.count { crowd[$0] != nil } >= tooMany
        }
        try await untouched()
        #expect(try await scene.account.call("app.list")["code"] == 1000)
        reader.kill()
        try await eventually("an answer to everybody", within: .seconds(240)) {
            crowd.collect()
            return (0..<Self.size).allSatisfy { crowd[$0] != nil }
        }
        // Some of the few may have waited with them.
        let served = crowded.count { crowd[$0]?.status == 200 }
        #expect((Self.waiting - few.count...Self.waiting).contains(served))
        #expect(crowded.count(where: isToldToComeAgain) == crowded.count - served)
        for index in 0..<Self.size where isToldToComeAgain(index) {
            try crowd.ask(index, request("playlist.m3u8", index))
        }
        try await eventually("a playlist for everybody") {
            crowd.collect()
            return (0..<Self.size).allSatisfy { crowd[$0]?.status == 200 }
        }
        // Nobody who played has paid again.
        let after = try await scene.account.succeed("sevu.status", ["key": .string(ticket.key)])
        #expect(after.string("used_count") == "\(Self.size)")

        // A line of each kind a minute, and one that counts the others.
        let minutes = Int((ContinuousClock.now - begin) / .seconds(60)) + 1
        for kind in ["viewers told to come again", "viewers not answered"] {
            #expect((1...2 * minutes).contains(origin.logLines(kind)), "\(origin.logLines(kind)) in \(minutes) minutes")
        }
    }
}

import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import Load

/// A load against a server that does what a test says.
@Suite struct LoadRunTests {
    private static let list = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"

    private func run(
        _ count: Int, of document: String = "playlist.m3u8", seconds: Double = 1,
        _ answer: @escaping @Sendable (String) -> WilfulServer.Answer
    ) async throws -> LoadGroupReport {
        let server = try await WilfulServer(answer)
        defer { server.close() }
        var plan = LoadPlan(
            targets: [try LoadTarget("http://127.0.0.1:\(server.port)/a/\(document)", publishes: false)], count: count
        )
        plan.duration = .milliseconds(Int64(seconds * 1_000))
        let report = try await LoadRun(plan).run()
        #expect(report.groups.count == 1)
        return try #require(report.groups.first)
    }

    @Test("Viewers of a stream that is over have everything, once, and are done")
    func everythingOnce() async throws {
        let group = try await run(3, seconds: 60) { path in
            switch path {
            case "/a/playlist.m3u8": return .ok("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb/list.m3u8?x=1\n")
            case "/a/b/list.m3u8?x=1":
                return .bytes("HTTP/1.1 302 Found\r\nLocation: /a/b/other.m3u8\r\nContent-Length: 0\r\n\r\n")
            case "/a/b/other.m3u8":
                return .ok(Self.list + "#EXTINF:0.5,\none.ts\n#EXTINF:0.5,\n/two.ts\n#EXT-X-ENDLIST\n")
            case "/a/b/one.ts", "/two.ts": return .ok(String(repeating: "x", count: 1_000))
            default: return .status(404)
            }
        }
        #expect(group.finished == 3 && group.gone == 0 && group.running == 0)
        // Master playlist, redirect, media playlist, and two segments each.
        #expect(group.answers == 15 && group.errors == [:] && group.stalls == 0)
        #expect(group.start?.count == 3 && group.bytes > 6_000)
    }

    @Test("Viewers of a presentation that is over have everything of both tracks, from where it says")
    func everythingOfTracks() async throws {
        func set(_ kind: String, _ count: Int) -> String {
            """
            <AdaptationSet contentType="\(kind)"><SegmentTemplate initialization="\(kind).mp4" media="\(kind)_$Number$.m4s" startNumber="4">
            <SegmentTimeline><S t="0" d="1" r="\(count - 1)"/></SegmentTimeline></SegmentTemplate><Representation id="1"/></AdaptationSet>
            """
        }
        let text =
            "<MPD type=\"static\"><BaseURL>b/</BaseURL><Period>\(set("video", 2))\(set("audio", 3))</Period></MPD>"
        let media = Set(
            ["video.mp4", "video_4.m4s", "video_5.m4s", "audio.mp4", "audio_4.m4s", "audio_5.m4s", "audio_6.m4s"].map {
                "/a/b/\($0)"
            })
        let group = try await run(3, of: "manifest.mpd", seconds: 60) { path in
            if path == "/a/manifest.mpd" { return .ok(text) }
            return media.contains(path) ? .ok(String(repeating: "x", count: 1_000)) : .status(404)
        }
        #expect(
            group.group == "DASH viewers" && group.finished == 3 && group.gone == 0 && group.running == 0, "\(group)")
        // The MPD and seven files each.
        #expect(group.answers == 24 && group.errors == [:] && group.stalls == 0, "\(group)")
    }

    @Test("Pushes are let in and counted; one that comes again takes the place of the one that has gone")
    func pushes() async throws {
        let folder = try Folder()
        // A keyframe's header and a second of silence.
        var file = ByteBuffer(string: "FLV")
        file.writeBytes([1, 4, 0, 0, 0, 9, 0, 0, 0, 0])
        for time in stride(from: 0, to: 1_000, by: 20) {
            file.writeBytes([
                8, 0, 0, 4, 0, UInt8(time >> 8), UInt8(time & 255), 0, 0, 0, 0, 0xAF, 1, 0x21, 0x10, 0, 0, 0, 15,
            ])
        }
        try Data(file.readableBytesView).write(to: URL(fileURLWithPath: folder.file("silence.flv")))
        let recording = try Recording(path: folder.file("silence.flv"))
        let port = try freePort()
        var plan = LoadPlan(targets: [try LoadTarget(receivingOn: "127.0.0.1:\(port)")], count: 2)
        plan.duration = .seconds(600)
        let seen = Mutex<LoadGroupReport?>(nil)
        let receiver = try LoadRun(plan) { report in seen.withLock { $0 = report.groups.first } }
        async let end = receiver.run()
        defer { receiver.stop() }
        func publish() async throws {
            var plan = LoadPlan(
                targets: [try LoadTarget("rtmp://127.0.0.1:\(port)/sink/s", publishes: true)], count: 2)
            plan.recording = recording
            let publishers = try LoadRun(plan)
            async let end = publishers.run()
            defer { publishers.stop() }
            try await eventually("two pushes") { seen.withLock { $0?.running == 2 } }
            publishers.stop()
            let group = try #require(try await end.groups.first)
            #expect(group.running == 2 && group.errors == [:], "\(group)")
        }
        try await publish()
        try await eventually("their end") { seen.withLock { $0?.running == 0 } }
        try await publish()
        receiver.stop()
        let group = try #require(try await end.groups.first)
        #expect(group.group == "pushes" && group.wanted == 2 && group.started == 2, "\(group)")
        #expect(group.start?.count == 4 && group.bytes > 2_000, "\(group)")
        #expect(Set(group.errors.keys).isSubset(of: ["the connection was closed"]), "\(group)")
    }

    @Test("A server that sends no more media is reported as stalls of all who play")
    func stallsAreReported() async throws {
        let group = try await run(4) { path in
            path.hasSuffix(".m3u8") ? .ok(Self.list + "#EXTINF:0.1,\none.ts\n") : .ok("x")
        }
        #expect(group.running == 4 && group.stalls == 4 && group.stalling == 4)
        #expect(group.stalledSeconds > 0)
    }

    @Test("A server that never answers leaves viewers waiting, and is no crash when it is ended")
    func silence() async throws {
        let server = try await WilfulServer { _ in .nothing }
        defer { server.close() }
        let plan = LoadPlan(
            targets: [try LoadTarget("http://127.0.0.1:\(server.port)/playlist.m3u8", publishes: false)], count: 5)
        let first = Alarm()
        let run = try LoadRun(plan) { report in
            if report.groups.first?.started == 5 { first.ring() }
        }
        async let report = run.run()
        await first.wait()
        run.stop()
        let group = try #require(try await report.groups.first)
        #expect(group.started == 5 && group.running == 0 && group.start == nil && group.answers == 0)
    }

    @Test("What a server does wrong is counted by its kind")
    func errorsAreCounted() async throws {
        let media = Self.list + "#EXTINF:1,\none.ts\n#EXTINF:1,\ntwo.ts\n#EXT-X-ENDLIST\n"
        var group = try await run(3, seconds: 60) { $0.hasSuffix(".m3u8") ? .ok(media) : .status(404) }
        #expect(group.errors == ["HTTP 404 (segment)": 6] && group.finished == 3)

        group = try await run(3, seconds: 60) { _ in .status(403) }
        #expect(group.gone == 3 && group.errors == ["HTTP 403 (master playlist)": 3, "refused: HTTP 403": 3])

        group = try await run(2, seconds: 60) {
            $0.hasSuffix(".m3u8") ? .ok(media) : .bytes("HTTP/1.1 nonsense\r\n\r\n")
        }
        #expect(group.errors == ["what came is no HTTP response (segment)": 4] && group.finished == 2)

        group = try await run(2, seconds: 60) { $0.hasSuffix(".m3u8") ? .ok(media) : .close }
        #expect(group.errors == ["the connection was closed (segment)": 4] && group.finished == 2)
    }

    @Test("A request that meets the end of a connection which has answered before is sent once more, and is no error")
    func askedAgain() async throws {
        let media = Self.list + "#EXTINF:0.1,\none.ts\n#EXTINF:0.1,\ntwo.ts\n#EXT-X-ENDLIST\n"
        let closed = Mutex<Set<String>>([])
        let group = try await run(1, seconds: 60) { path in
            if path.hasSuffix(".m3u8") { return .ok(media) }
            return closed.withLock { $0.insert(path).inserted } ? .close : .ok("x")
        }
        // The second segment is asked for over the connection that gave the first.
        #expect(group.errors == [:] && group.finished == 1 && group.answers == 3)
    }

    @Test("A playlist that cannot be read is tried again, and given up")
    func unreadablePlaylist() async throws {
        let group = try await run(2, seconds: 60) { _ in .ok("<html>") }
        #expect(group.gone == 2)
        let unread = group.errors.filter { $0.key.hasPrefix("a playlist cannot be read: <html>") }
        #expect(unread.map(\.value) == [10])
        #expect(group.errors["gave up after 5 playlists that did not come"] == 2)
    }

    @Test("Nobody who listens is one error for each viewer")
    func nobodyListens() async throws {
        var plan = LoadPlan(
            targets: [try LoadTarget("http://127.0.0.1:\(try freePort())/playlist.m3u8", publishes: false)], count: 3)
        plan.duration = .seconds(60)
        let group = try #require(try await LoadRun(plan).run().groups.first)
        #expect(group.gone == 3 && group.errors["no connection: Connection refused"] == 3)
    }

    @Test("What this program cannot do is said before it begins")
    func ownLimits() throws {
        #expect(throws: LoadProblem.self) { try OwnLimits.makeRoom(for: 100_000_000) }
        #expect(throws: LoadProblem.self) { try OwnLimits.checkPorts(for: 70_000) }
        for text in ["ftp://a/", "rtmp://a/app", "nonsense"] {
            #expect(throws: LoadProblem.self) { try LoadTarget(text, publishes: false) }
        }
        #expect(throws: LoadProblem.self) { try LoadTarget("http://a/x.m3u8", publishes: true) }
        for text in ["", "1936", ":1936", "127.0.0.1:", "127.0.0.1:70000", "a:b"] {
            #expect(throws: LoadProblem.self) { try LoadTarget(receivingOn: text) }
        }
    }

    @Test("A program that was itself too slow says so")
    func ownSlowness() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var limits = OwnLimits(now: start, schedule: .init(running: 0, waiting: 0))
        limits.add(lag: .milliseconds(1))
        limits.look(now: start + .seconds(1), schedule: .init(running: 500_000_000, waiting: 50_000_000))
        var report = limits.report(wait: .milliseconds(20))
        #expect(report.limits == [] && report.cpu == 0.5 && report.cpuWait == 0.05)
        limits.look(now: start + .seconds(1), schedule: .init(running: 950_000_000, waiting: 200_000_000))
        for _ in 0..<50 { limits.add(lag: .milliseconds(15)) }
        limits.couldNotConnect(EADDRNOTAVAIL)
        report = limits.report(wait: .milliseconds(20))
        #expect(
            report.limits == [
                "it had no more local ports for this server (net.ipv4.ip_local_port_range)",
                "its event loop used 95 % of a processor", "its event loop waited 20 % of the time for a processor",
                "its event loop was up to 15.0 ms late (p99), which is in the delays",
            ])
    }
}

/// An HTTP server that answers each request as it is told.
final class WilfulServer: Sendable {
    enum Answer: Sendable {
        case ok(String)
        case status(Int)
        case bytes(String)
        case nothing
        case close
    }

    let port: Int
    private let channel: any Channel

    init(_ answer: @escaping @Sendable (String) -> Answer) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func close() {
        channel.close(promise: nil)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let answer: @Sendable (String) -> Answer
        private var text = ""

        init(answer: @escaping @Sendable (String) -> Answer) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            while let end = text.firstRange(of: "\r\n\r\n") {
                let path = text.split(separator: " ").dropFirst().first.map { String($0) } ?? ""
                text = String(text[end.upperBound...])
                switch answer(path) {
                case .ok(let body):
                    send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)", context)
                case .status(let code): send("HTTP/1.1 \(code) Odd\r\nContent-Length: 2\r\n\r\nno", context)
                case .bytes(let bytes): send(bytes, context)
                case .nothing: break
                case .close: context.close(promise: nil)
                }
            }
        }

        private func send(_ text: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}

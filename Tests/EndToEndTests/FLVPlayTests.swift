import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

/// The same streams as one FLV file over HTTP: what players get, who is let in, and what becomes of those who do not read.
@Suite("HTTP-FLV", .serialized) struct FLVPlayTests {
    @Test("Every player gets every access unit as it was sent, from a keyframe on")
    func everyPlayerGetsEverything() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let folder = try Folder()
        #expect(try await Curl.get(origin.flv("show")).status == 404)
        let encoder = try Encoder.ffmpeg(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let address = origin.flv("show")
        let programs = try [
            ForeignProgram(["curl", "-sS", "-N", "-o", folder.file("curl.flv"), address]),
            ForeignProgram(["curl", "-sS", "-N", "--http1.0", "-o", folder.file("old.flv"), address]),
            ForeignProgram([
                "ffmpeg", "-v", "error", "-nostdin", "-copyts", "-i", address, "-map", "0", "-c", "copy",
                folder.file("ffmpeg.flv"),
            ]),
            ForeignProgram([
                "gst-launch-1.0", "souphttpsrc", "location=\(address)", "!", "flvdemux", "name=d", "mpegtsmux",
                "name=m",
                "!", "filesink", "location=\(folder.file("gst.ts"))", "d.video", "!", "queue", "!", "h264parse", "!",
                "m.", "d.audio", "!", "queue", "!", "aacparse", "!", "m.",
            ]),
        ]
        #expect(try await encoder.result().status == 0)
        let sent = try await StreamPackets(file: source.path)
        for (program, file) in zip(programs, ["curl.flv", "old.flv", "ffmpeg.flv"]) {
            #expect(try await program.result().status == 0, "\(file): \(program.errors)")
            let received = try await StreamPackets(file: folder.file(file))
            expectSuffix(received, of: sent, viewer: file)
            #expect(received.all.video.count > 100 && received.all.audio.count > 100, "\(file)")
        }
        #expect(try await programs[3].result().status == 0, "\(programs[3].errors)")
        let played = try await StreamPackets.slices(
            of: folder.file("gst.ts"), video: StreamPackets.Filter.h264FromTS, audio: StreamPackets.Filter.aacFromTS)
        let slices = try await StreamPackets.slices(
            of: source.path, video: StreamPackets.Filter.h264FromFLV, audio: StreamPackets.Filter.none)
        #expect(played.all.video.count > 100)
        #expect(played.all.video.map(\.hash) == slices.all.video.suffix(played.all.video.count).map(\.hash))
    }

    @Test("The file begins with the headers and the newest keyframe, each tag as RTMP viewers get it")
    func beginning() async throws {
        let tags = try FLVFile(path: try await SourceMedia.h264AAC().path).tags
        let origin = try await OriginProcess()
        let account = try await origin.account()
        try await account.openStream("show")
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show")
        let sent = Array(tags.prefix(while: { $0.timestamp < 2_500 }))
        for tag in sent { try await publisher.send(tag.type, timestamp: UInt32(tag.timestamp), body: tag.body) }
        let keyframe = try #require(sent.lastIndex { $0.isKeyframe })
        let expected = sent.filter(\.isHeader).map(\.body) + sent[keyframe...].map(\.body)

        let folder = try Folder()
        let viewer = try await RawPeer.connect(port: origin.httpPort)
        await viewer.send("GET /demo-origin/live/show.flv HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n")
        func file() -> [UInt8]? {
            viewer.received.firstRange(of: Array("\r\n\r\n".utf8)).map { Array(viewer.received[$0.upperBound...]) }
        }
        func tagsNow() -> [FLVFile.Tag] {
            guard let bytes = file(), bytes.count > 13 else { return [] }
            try? Data(bytes).write(to: URL(fileURLWithPath: folder.file("now.flv")))
            return (try? FLVFile(path: folder.file("now.flv")).tags) ?? []
        }
        try await eventually("the GOP") { tagsNow().count >= expected.count }
        #expect(tagsNow().map(\.body) == expected)
        let head = viewer.text.components(separatedBy: "\r\n\r\n")[0].lowercased()
        #expect(head.hasPrefix("http/1.1 200 ok"))
        for field in [
            "content-type: video/x-flv", "access-control-allow-origin: *", "connection: close",
            "cache-control: private, no-store",
        ] { #expect(head.contains(field), "\(field): \(head)") }
        #expect(!head.contains("\r\ncontent-length") && !head.contains("\r\ntransfer-encoding"))
        // Both kinds are announced.
        #expect(file()?.prefix(9) == [0x46, 0x4C, 0x56, 1, 5, 0, 0, 0, 9])
        try await eventually("a viewer") { try await account.details("show")?.integer("viewers") == 1 }

        let only = try await Curl.head(origin.flv("show"))
        #expect(only == 200)
        try await publisher.stop()
        try await eventually("the end") { viewer.isClosed }
        try await eventually("no viewer") { try await account.details("show")?.integer("viewers") ?? 0 == 0 }
    }

    @Test("A ticket pays for one connection, and taking it back closes that one")
    func tickets() async throws {
        let scene = try await TicketScene(["live.reconnect_window: 1800s"])
        let ticket = try await scene.ticket(uses: 1)
        let path = "/demo-origin/play/paid.flv"
        #expect(try await Curl.get(scene.origin.flv("paid")).status == 403)
        #expect(try await Curl.head(scene.origin.flv("paid") + ticket.query) == 200)
        #expect(try await scene.remaining(ticket) == "1")

        let viewer = try await RawPeer.connect(port: scene.origin.httpPort)
        await viewer.send("GET \(path)\(ticket.query) HTTP/1.1\r\nHost: a\r\n\r\n")
        try await eventually("media") { viewer.received.count > 1_000 }
        #expect(try await scene.remaining(ticket) == "0")
        #expect(try await scene.viewers() == 1)
        let sessions = try await scene.account.succeed("sevu.sessions")["sessions"]?.arrayValue ?? []
        #expect(sessions.map { $0.objectValue?.string("protocol") } == ["flv"])
        #expect(try await Curl.get(scene.origin.flv("paid") + ticket.query).status == 403)
        #expect(!viewer.isClosed)

        try await scene.account.succeed("sevu.revoke", ["key": .string(ticket.key)])
        try await eventually("its end") { viewer.isClosed }
        try await eventually("no viewer") { try await scene.viewers() == 0 }
        #expect(try await scene.log().map { $0.string("reason") }.contains("Ticket Revoked") == false)
    }

    @Test("Of five hundred readers those who never read are closed, and the others get all there is")
    func crowd() async throws {
        let origin = try await OriginProcess(["live.slow_viewer_timeout: 2s", "limits.connections_per_address: 1000"])
        let account = try await origin.account()
        try await account.openStream("show")
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show")
        let request = "GET /demo-origin/live/show.flv HTTP/1.1\r\nHost: a\r\n\r\n"
        func frame(_ number: Int, last: Bool = false) -> ByteBuffer {
            let head: [UInt8] = [number.isMultiple(of: 25) ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, 0x1F, 0x3B]
            return ByteBuffer(bytes: head + [UInt8](repeating: last ? 0x77 : 0x41, count: 7_995))
        }
        try await publisher.send(.video, timestamp: 0, body: frame(0))
        let readers = try await FLVCrowd(400, port: origin.httpPort, request: request)
        var deaf: [RawPeer] = []
        for index in 0..<100 {
            let peer = try await RawPeer.connect(port: origin.httpPort, reads: false, from: "127.0.2.\(index % 4 + 1)")
            await peer.offer(Array(request.utf8))
            deaf.append(peer)
        }
        try await origin.untilViewed("show", 500)
        var number = 1
        try await eventually("those who do not read to be closed") {
            for _ in 0..<10 {
                try await publisher.send(.video, timestamp: UInt32(number * 40), body: frame(number))
                number += 1
            }
            return try await account.details("show")?.integer("viewers") == 400
        }
        try await publisher.send(.video, timestamp: UInt32(number * 40), body: frame(number, last: true))
        try await eventually("the last frame at every reader") { readers.count(endingWith: 0x77) == 400 }
        try await publisher.stop()
        try await eventually("the end of all") { readers.closed == 400 }
        #expect(origin.logLines("viewer too slow, closed") >= 1)
        withExtendedLifetime(deaf) {}
    }
}

extension OriginProcess {
    /// The address of a stream as FLV.
    func flv(_ stream: String) -> String {
        playlist(stream).replacing("/playlist.m3u8", with: ".flv")
    }
}

extension Curl {
    /// The status of a request for headers alone.
    static func head(_ url: String) async throws -> Int {
        let result = try await ForeignProgram.run(["curl", "-sS", "-I", "-o", "/dev/null", "-w", "%{http_code}", url])
        return Int(result.text) ?? 0
    }
}

/// Readers that take everything and keep nothing but the last bytes of it.
private final class FLVCrowd: Sendable {
    private struct Reader: Sendable {
        var tail: [UInt8] = []
        var isClosed = false
    }

    private final class Handler: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let state = Mutex(Reader())

        var reader: Reader { state.withLock { $0 } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            state.withLock { $0.tail = Array($0.tail.suffix(8) + bytes.readableBytesView.suffix(8)).suffix(8) }
        }

        func channelInactive(context: ChannelHandlerContext) { state.withLock { $0.isClosed = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let handlers: [Handler]

    init(_ count: Int, port: Int, request: String) async throws {
        var handlers: [Handler] = []
        for index in 0..<count {
            let handler = Handler()
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .bind(to: SocketAddress(ipAddress: "127.0.1.\(index % 8 + 1)", port: 0))
                .channelInitializer { $0.pipeline.addHandler(handler) }
                .connect(host: "127.0.0.1", port: port).get()
            try await channel.writeAndFlush(ByteBuffer(string: request))
            handlers.append(handler)
        }
        self.handlers = handlers
    }

    /// Readers whose newest tag ends with this byte; the tag's length stands behind it.
    func count(endingWith byte: UInt8) -> Int {
        handlers.count { handler in
            let tail = handler.reader.tail
            return tail.count == 8 && tail[3] == byte
        }
    }

    var closed: Int { handlers.count { $0.reader.isClosed } }
}

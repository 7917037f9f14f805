import ControlAPI
import Foundation
import TestSupport
import Testing

/// The same streams as MPEG-DASH: what the MPD says, and who plays it.
@Suite(.serialized) struct DASHPlayTests {
    /// Players of an MPD, writing what they play into the folder.
    private func players(of address: String, frames: Int, into folder: Folder) throws -> [(ForeignProgram, String)] {
        [
            (
                try ForeignProgram([
                    // It would wait for more for ever: it never believes that a live stream has ended.
                    "ffmpeg", "-v", "error", "-nostdin", "-copyts", "-i", address, "-map", "0", "-c", "copy",
                    "-frames:v", "\(frames)", "-muxdelay", "0", folder.file("ffmpeg.ts"),
                ]), folder.file("ffmpeg.ts")
            )
        ]
    }

    /// GStreamer's player (dashdemux2). While a stream is live release 1.22 plays none whose first period does not begin with the
    /// presentation: it waits for each segment until twice that time.
    private static func gstreamer(_ address: String, into file: String) throws -> ForeignProgram {
        try ForeignProgram([
            "gst-launch-1.0", "-q", "urisourcebin", "name=u", "uri=\(address)", "mpegtsmux", "name=m", "!", "filesink",
            "location=\(file)", "u.", "!", "video/x-h264", "!", "queue", "!", "h264parse", "!", "m.", "u.", "!",
            "audio/mpeg", "!", "queue", "!", "aacparse", "!", "m.",
        ])
    }

    @Test("An MPD is right all through a life, its files hold what was sent, and players play them")
    func aWholeLife() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["hls.segment_duration: 1s"])
        try await origin.account().openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.ffmpeg(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let address = origin.manifest("show")
        #expect(try await HTTPGet(address).status == 200)
        let players = try players(of: address, frames: 100, into: folder)

        var last: MPDFile?
        var files: [String: [(String, [UInt8])]] = ["video": [], "audio": []]
        var initializations: [String: [UInt8]] = [:]
        while true {
            let reply = try await HTTPGet(address)
            #expect(reply.headers["content-type"] == "application/dash+xml")
            let mpd = try #require(MPDFile(reply.text))
            #expect(mpd.problems == [], "\(reply.text)")
            if let last { #expect(last.problems(before: mpd) == []) }
            last = mpd
            for type in ["video", "audio"] {
                let folder = address.replacing("manifest.mpd", with: "")
                for segment in mpd.segments(type) where files[type]?.contains(where: { $0.0 == segment.name }) == false
                {
                    let file = try await HTTPGet(folder + segment.name)
                    #expect(file.status == 200 && file.headers["content-type"] == "\(type)/mp4")
                    files[type]?.append((segment.name, file.body))
                    if initializations[type] == nil {
                        initializations[type] = try await HTTPGet(folder + segment.initialization).body
                    }
                }
            }
            if mpd.isEnded { break }
            try await eventually("another MPD") { try await HTTPGet(address).text != reply.text }
        }
        #expect(try await encoder.result().status == 0)
        #expect(last?.periods.count == 1)

        let sent = try await StreamPackets.slices(
            of: source.path, video: StreamPackets.Filter.h264FromFLV, audio: StreamPackets.Filter.none)
        for type in ["video", "audio"] {
            let bytes = (initializations[type] ?? []) + (files[type] ?? []).flatMap(\.1)
            let path = folder.file("\(type).mp4")
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let isVideo = type == "video"
            let served = try await StreamPackets.slices(
                of: path, video: isVideo ? StreamPackets.Filter.h264FromFLV : nil,
                audio: isVideo ? nil : StreamPackets.Filter.none)
            _ = expectSame(served.all, as: isVideo ? sent.all.video : sent.all.audio)
        }
        let all = folder.file("gstreamer.ts")
        for (player, file) in players + [(try Self.gstreamer(address, into: all), all)] {
            let result = try await player.result()
            #expect(result.status == 0, "\(player.name): \(result.errors)")
            let played = try await StreamPackets.slices(
                of: file, video: StreamPackets.Filter.h264FromTS, audio: StreamPackets.Filter.aacFromTS)
            let video = played.all.video.map(\.hash)
            #expect(video.count >= 100, "\(player.name)")
            let start = try #require(sent.all.video.firstIndex { $0.hash == video.first }, "\(player.name)")
            #expect(video == sent.all.video[start...].prefix(video.count).map(\.hash), "\(player.name)")
            #expect(played.all.audio.count >= 100, "\(player.name)")
        }
    }

    @Test(
        "A ticket pays for one session, wherever and however often its MPD is read, and revoking it ends all that play")
    func tickets() async throws {
        let scene = try await TicketScene(["live.reconnect_window: 1800s"])
        let ticket = try await scene.ticket(uses: 1)
        let bare = scene.origin.manifest("paid")
        #expect(try await Curl.get(bare).status == 403)
        #expect(try await Curl.head(bare + ticket.query) == 200)
        #expect(try await scene.remaining(ticket) == "1")

        let first = try await Web.get(bare + ticket.query)
        #expect(first.status == 200)
        #expect(first.headers["content-type"] == "application/dash+xml")
        #expect(first.headers["cache-control"] == "private, no-store")
        #expect(try await scene.remaining(ticket) == "0")
        let mpd = try #require(MPDFile(String(decoding: first.body, as: UTF8.self)))
        #expect(mpd.problems == [])
        let (base, location) = (try #require(mpd.base), try #require(mpd.location))
        #expect(base.wholeMatch(of: /sess_[A-Za-z0-9_-]{43}\//) != nil, "\(base)")
        #expect(location == "\(base)manifest.mpd\(ticket.query)")
        // The address that the page has leads into the same session again and again, and so does that of pages made for Wowza.
        for name in ["manifest.mpd", "manifest.mpd", "manifest_mpm4sav_mvtime.mpd"] {
            let again = try await Curl.get(bare.replacing("manifest.mpd", with: name) + ticket.query)
            #expect(again.status == 200)
            #expect(MPDFile(again.body)?.location == location)
        }
        let own = bare.replacing("manifest.mpd", with: location)
        for _ in 0..<3 {
            let again = try await Curl.get(own)
            let mpd = try #require(MPDFile(again.body))
            #expect(again.status == 200 && mpd.problems == [] && mpd.base == nil && mpd.location == nil)
        }
        let file = try #require(mpd.segments("video").last)
        for name in [file.name, file.initialization] {
            #expect(try await Curl.get(bare.replacing("manifest.mpd", with: base + name)).status == 200)
            #expect(try await Curl.get(bare.replacing("manifest.mpd", with: name)).status == 403)
        }

        // ffmpeg comes back to the page's address, over more segments than one MPD lists.
        for address in [bare + ticket.query, own] {
            let played = try await ForeignProgram.run([
                "ffmpeg", "-v", "error", "-nostdin", "-i", address, "-map", "0", "-frames:v", "40", "-f", "null", "-",
            ])
            #expect(played.status == 0, "\(played.errors)")
        }
        let folder = try Folder()
        let player = try ForeignProgram([
            "ffmpeg", "-v", "error", "-nostdin", "-i", bare + ticket.query, "-c", "copy", "-f", "mpegts",
            folder.file("played.ts"),
        ])
        try await eventually("media: \(player.errors)") {
            (FileManager.default.contents(atPath: folder.file("played.ts"))?.count ?? 0) > 20_000
        }
        #expect(try await scene.attempts(ticket) == 1)
        #expect(try await scene.viewers() == 1)
        let sessions = try await scene.account.succeed("sevu.sessions")["sessions"]?.arrayValue ?? []
        #expect(sessions.map { $0.objectValue?.string("protocol") } == ["dash"])

        try await scene.account.succeed("sevu.revoke", ["key": .string(ticket.key)])
        for address in [bare.replacing("manifest.mpd", with: base + file.name), own, bare + ticket.query] {
            #expect(try await Curl.get(address).status == 403)
        }
        // ffmpeg asks again and again.
        try await eventually("a refusal of the player") { try await scene.attempts(ticket, success: false) > 1 }
        #expect(try await scene.viewers() == 0)
        player.kill()
    }
}

/// The segment that is being written, given out as it is written.
@Suite("Low-latency DASH", .serialized) struct LowLatencyDASHTests {
    /// The video of each part of the segment that is being written.
    private func openParts(_ origin: OriginProcess) async throws -> (sequence: Int, parts: [[UInt8]]) {
        let playlist = try #require(try await origin.mediaPlaylist("show"))
        let lines = playlist.text.split(separator: "\n")
        let rest = lines[(lines.lastIndex { !$0.hasPrefix("#") } ?? 0)...]
        var parts: [[UInt8]] = []
        for line in rest where line.hasPrefix("#EXT-X-PART:") {
            let name = try #require(line.split(separator: "\"").dropFirst().first)
            let bytes = try await HTTPGet(origin.chunklist("show").replacing("chunklist.m3u8", with: String(name))).body
            // The video's moof and mdat stand first.
            var end = 0
            for _ in 0..<2 { end += bytes[end..<end + 4].reduce(0) { $0 << 8 | Int($1) } }
            parts.append(Array(bytes.prefix(end)))
        }
        return (playlist.nextSequence, parts)
    }

    private func request(_ name: String) -> String {
        "GET /demo-origin/play/show/\(name) HTTP/1.1\r\nHost: a\r\n\r\n"
    }

    /// The chunks of a response that has perhaps not ended (RFC 9112 §7.1).
    private func chunks(_ bytes: [UInt8]) -> [[UInt8]] {
        guard let head = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return [] }
        var chunks: [[UInt8]] = []
        var rest = bytes[head.upperBound...]
        while let line = rest.firstRange(of: [13, 10]),
            let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16),
            rest.endIndex >= line.upperBound + size + 2
        {
            chunks.append(Array(rest[line.upperBound..<line.upperBound + size]))
            rest = rest[(line.upperBound + size + 2)...]
        }
        return chunks
    }

    @Test("Two hundred readers get each part of the segment when it is finished, and the whole in the end")
    func eachPart() async throws {
        let tags = try FLVFile(path: try await SourceMedia.h264AAC().path).tags
        let origin = try await OriginProcess(["hls.segment_duration: 1s", "limits.connections_per_address: 1000"])
        try await origin.account().openStream("show")
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show")
        func send(_ range: Range<Int64>) async throws {
            for tag in tags where range.contains(tag.timestamp) {
                try await publisher.send(tag.type, timestamp: UInt32(tag.timestamp), body: tag.body)
            }
        }
        try await send(0..<2_500)
        try await eventually("two segments and parts of the third") {
            guard try await origin.mediaPlaylist("show")?.nextSequence == 2 else { return false }
            return try await openParts(origin).parts.count == 2
        }
        let mpd = try #require(MPDFile(try await HTTPGet(origin.manifest("show")).text))
        #expect(mpd.problems == [])
        #expect(mpd.segments("video").last?.name == "video_2.m4s")

        var readers: [RawPeer] = []
        for _ in 0..<200 {
            let reader = try await RawPeer.connect(port: origin.httpPort)
            await reader.send(request("video_2.m4s"))
            readers.append(reader)
        }
        var expected = try await openParts(origin).parts
        #expect(expected.count == 2)
        try await eventually("what there is") { readers.allSatisfy { chunks($0.received).count == 2 } }
        #expect(readers.allSatisfy { chunks($0.received) == expected })
        try await send(2_500..<2_700)
        try await eventually("the third part") { readers.allSatisfy { chunks($0.received).count == 3 } }
        expected = try await openParts(origin).parts
        #expect(expected.count == 3 && readers.allSatisfy { chunks($0.received) == expected })

        try await send(2_700..<3_200)
        try await eventually("the end") { readers.allSatisfy { chunks($0.received).last?.isEmpty == true } }
        let folder = origin.manifest("show").replacing("manifest.mpd", with: "")
        let whole = try await HTTPGet(folder + "video_2.m4s")
        #expect(whole.headers["content-length"] == "\(whole.body.count)")
        #expect(readers.allSatisfy { chunks($0.received).flatMap { $0 } == whole.body })
        // The connection is good for the next request.
        let reader = readers[0]
        #expect(!reader.isClosed)
        await reader.send(request("audio_2.m4s"))
        try await eventually("the next response") { reader.text.components(separatedBy: "HTTP/1.1 200 OK").count == 3 }
        #expect(try await HTTPGet(folder + "video_4.m4s").status == 404)
        #expect(try await Curl.head(folder + "video_3.m4s") == 200)
    }

    @Test("A response that goes on is cut when the ticket is taken back")
    func revoked() async throws {
        let scene = try await TicketScene(["live.reconnect_window: 1800s"])
        let ticket = try await scene.ticket(uses: 1)
        let manifest = scene.origin.manifest("paid")
        let location = try #require(MPDFile(try await Curl.get(manifest + ticket.query).body)?.location)
        let own = manifest.replacing("manifest.mpd", with: location)
        #expect(MPDFile(try await Curl.get(own).body)?.problems == [])
        // The segment that is being written now is not finished any more.
        scene.encoder?.program.signal(SIGSTOP)
        defer { scene.encoder?.program.signal(SIGCONT) }
        let playlist = MediaPlaylistText(
            try await Curl.get(own.replacing("manifest.mpd", with: "chunklist.m3u8")).body)
        let folder = try #require(URL(string: own)).deletingLastPathComponent().path
        let reader = try await RawPeer.connect(port: scene.origin.httpPort)
        await reader.send("GET \(folder)/video_\(playlist.nextSequence).m4s HTTP/1.1\r\nHost: a\r\n\r\n")
        try await eventually("its beginning") { reader.text.contains("\r\nTransfer-Encoding: chunked\r\n") }
        try await scene.account.succeed("sevu.revoke", ["key": .string(ticket.key)])
        try await eventually("its end") { reader.isClosed }
        #expect(!reader.text.hasSuffix("0\r\n\r\n"))
    }
}

extension OriginProcess {
    /// The address of a stream's MPD.
    func manifest(_ stream: String) -> String {
        playlist(stream).replacing("playlist.m3u8", with: "manifest.mpd")
    }
}

import Media
import NIOCore
import Testing

@testable import RTMP

/// What real programs sent, replayed; see Fixtures/README.md.
struct RecordedSessionTests {
    /// Replays a client's bytes in pieces of 1,400.
    static func replay(_ name: String, pieceSize: Int = 1_400) throws -> [ServerEvent] {
        var session = ServerSession(now: start, seed: 1)
        var events: [ServerEvent] = []
        for piece in pieces(try fixture(name), of: pieceSize) {
            try session.receive(piece, now: start)
            while let event = try session.nextEvent() {
                events.append(event)
                Loopback.acceptEverything(&session, event)
            }
        }
        return events
    }

    /// Events in short, media counted.
    static func outline(_ events: [ServerEvent]) throws -> [String] {
        var lines: [String] = []
        var video = 0
        var audio = 0
        for event in events {
            switch event {
            case .connectRequested(let request):
                lines.append("connect \(request.app) \(request.flashVersion ?? "-") publisher=\(request.isPublisher)")
            case .publishRequested(let request): lines.append("publish \(request.name.raw) \(request.kind.rawValue)")
            case .playRequested(let request): lines.append("play \(request.name.raw) \(request.start)")
            case .media(let message): if message.isVideo { video += 1 } else { audio += 1 }
            case .metadata(let data): lines.append("metadata \(data.metadata?["width"]?.number ?? 0)")
            case .data(let data): lines.append("data \(data.name)")
            case .unpublished: lines.append("video \(video) audio \(audio) unpublished")
            case .playStopped: lines.append("stopped")
            case .bufferLength(_, let milliseconds): lines.append("buffer \(milliseconds)")
            default: lines.append("\(event)")
            }
        }
        return lines
    }

    /// 17 pictures and 44 sound frames, with a sequence header each and an end of sequence.
    @Test(
        "Recorded clients give the events expected",
        arguments: [
            (
                "ffmpeg-publish",
                [
                    "connect cust-live/play FMLE/3.0 (compatible; Lavf59.27.100) publisher=true",
                    "publish cam?user=u&pass=p%20w live", "metadata 160.0", "video 19 audio 45 unpublished",
                ]
            ),
            (
                "ffmpeg-publish-mp3",
                [
                    "connect live FMLE/3.0 (compatible; Lavf59.27.100) publisher=true", "publish mp3 live",
                    "metadata 160.0", "video 17 audio 40 unpublished",
                ]
            ),
            (
                // GStreamer's flvmux repeats its metadata as tags arrive.
                "librtmp-publish",
                ["connect live - publisher=true", "publish cam live"]
                    + Array(repeating: "metadata 160.0", count: 7) + ["video 19 audio 45 unpublished"]
            ),
            (
                "gst-rtmp2-publish",
                ["connect live LNX 10,0,32,18 publisher=true", "publish cam live"]
                    + Array(repeating: "metadata 160.0", count: 7) + ["video 19 audio 45 unpublished"]
            ),
            (
                "ffmpeg-play",
                ["connect live LNX 9,0,124,2 publisher=false", "play cam -2000.0", "buffer 3000", "stopped"]
            ),
            (
                "rtmpdump-play",
                ["connect live LNX 10,0,32,18 publisher=false", "play cam -1000.0", "buffer 36000000", "stopped"]
            ),
            (
                "rtmpdump-subscribe",
                ["connect live LNX 10,0,32,18 publisher=false", "play cam -1000.0", "buffer 36000000", "stopped"]
            ),
            (
                "rtmpdump-digest",
                ["connect live LNX 10,0,32,18 publisher=false", "play cam -1000.0", "buffer 36000000", "stopped"]
            ),
            ("gst-rtmp2-play", ["connect live LNX 10,0,32,18 publisher=false", "play cam -2.0", "buffer 30000"]),
        ])
    func clients(name: String, outline: [String]) throws {
        #expect(try RecordedSessionTests.outline(RecordedSessionTests.replay(name + ".bin")) == outline)
    }

    /// Configuration, order and times, as ffprobe shows them for the file that was published.
    @Test(
        "Recorded publishers give the media that was sent",
        arguments: ["ffmpeg-publish", "librtmp-publish", "gst-rtmp2-publish"])
    func publishedMedia(name: String) throws {
        var configurations: [String] = []
        var units: [AccessUnit] = []
        for case .media(let message) in try RecordedSessionTests.replay(name + ".bin") {
            let time = MediaTime(milliseconds: Int64(message.timestamp))
            if message.isVideo {
                let tag = try VideoTag.parse(message.body)
                if let configuration = try tag.codecConfiguration() { configurations.append(configuration.codecString) }
                if let unit = tag.accessUnit(decodeTime: time) { units.append(unit) }
            } else {
                let tag = try AudioTag.parse(message.body)
                if let configuration = try tag.codecConfiguration() { configurations.append(configuration.codecString) }
                if let unit = tag.accessUnit(decodeTime: time) { units.append(unit) }
            }
        }
        #expect(configurations.sorted() == ["avc1.640009", "mp4a.40.2"])
        let video = units.filter(\.codec.isVideo)
        #expect(video.count == 17)
        #expect(units.count == 61)
        #expect(video.first?.isKeyframe == true)
        #expect(video.filter(\.isKeyframe).count == 2)
        #expect(video.first.map { $0.payload.readableBytes } == 2_488)
        // GStreamer's parser makes times of its own.
        let offsets: [Int64] = name == "ffmpeg-publish" ? [133, 267, 67, 66] : [0, 200, 67, 66]
        #expect(video.prefix(4).map { $0.compositionOffset.milliseconds } == offsets)
    }

    /// MP3 has no sequence header: its first frame tells.
    @Test("A recorded publisher of MP3 gives the frames that were sent")
    func publishedMP3() throws {
        let first = try RecordedSessionTests.replay("ffmpeg-publish-mp3.bin").compactMap { event in
            if case .media(let message) = event, !message.isVideo { message.body } else { nil }
        }.first
        let tag = try AudioTag.parse(#require(first))
        let unit = try #require(tag.accessUnit(decodeTime: .zero))
        #expect(try CodecConfiguration(of: unit, after: nil)?.codec == .audio(.mp3))
    }

    /// nginx-rtmp's answers to our own client.
    @Test(
        "Recorded answers of nginx-rtmp are understood", arguments: [ClientConfiguration.Purpose.publish, .play],
        [1, 100, 1_000_000])
    func nginxAnswers(purpose: ClientConfiguration.Purpose, size: Int) throws {
        let configuration = ClientConfiguration(purpose: purpose, app: "live", stream: "p9", tcURL: "rtmp://h/live")
        var session = ClientSession(configuration: configuration, now: start, seed: 1)
        var events: [ClientEvent] = []
        let name = purpose == .publish ? "nginx-to-publisher.bin" : "nginx-to-player.bin"
        for piece in pieces(try fixture(name), of: size) {
            try session.receive(piece, now: start)
            while let event = try session.nextEvent() { events.append(event) }
        }
        if purpose == .publish {
            #expect(events == [.connected, .publishing(streamID: 1)])
        } else {
            #expect(Array(events.prefix(2)) == [.connected, .playing(streamID: 1)])
            let width = events.lazy.compactMap { event -> Double? in
                if case .metadata(let data) = event { data.metadata?["width"]?.number } else { nil }
            }.first
            #expect(width == 160)
            let bodies = events.compactMap { event -> ByteBuffer? in
                if case .media(let message) = event, message.isVideo { message.body } else { nil }
            }
            let codec = try VideoTag.parse(#require(bodies.first)).codecConfiguration()?.codecString
            #expect(codec == "avc1.640009")
        }
    }

    @Test(
        "Every split of a recording gives the same events",
        arguments: ["ffmpeg-publish", "ffmpeg-publish-mp3", "librtmp-publish", "gst-rtmp2-publish"])
    func everySplitGivesTheSameEvents(name: String) throws {
        let whole = try RecordedSessionTests.replay(name + ".bin", pieceSize: 1_000_000)
        for size in [1, 3, 11, 1_537] {
            #expect(try RecordedSessionTests.replay(name + ".bin", pieceSize: size) == whole, "pieces of \(size)")
        }
    }
}

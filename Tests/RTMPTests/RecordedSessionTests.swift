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

    @Test(arguments: [
        (
            "ffmpeg-publish",
            [
                "connect cust-live/play FMLE/3.0 (compatible; Lavf59.27.100) publisher=true",
                "publish cam?user=u&pass=p%20w live", "metadata 160.0", "video 17 audio 46 unpublished",
            ]
        )
    ])
    func publishers(name: String, outline: [String]) throws {
        #expect(try RecordedSessionTests.outline(RecordedSessionTests.replay(name + ".bin")) == outline)
    }

    @Test(arguments: ["ffmpeg-publish", "ffmpeg-publish-mp3", "librtmp-publish", "gst-rtmp2-publish"])
    func everySplitGivesTheSameEvents(name: String) throws {
        let whole = try RecordedSessionTests.replay(name + ".bin", pieceSize: 1_000_000)
        for size in [1, 2, 3, 5, 11, 100, 1_537, 4_096] {
            #expect(try RecordedSessionTests.replay(name + ".bin", pieceSize: size) == whole, "pieces of \(size)")
        }
    }
}

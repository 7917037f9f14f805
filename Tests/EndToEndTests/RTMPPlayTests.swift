import NIOCore
import RTMP
import TestSupport
import Testing

/// What goes in comes out: real players, compared packet by packet with what the encoder sent.
@Suite(.serialized) struct RTMPPlayTests {
    @Test("Every player gets every access unit as it was sent")
    func everyPlayerGetsEveryAccessUnitAsItWasSent() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.ffmpeg(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let players = try Player.Kind.allCases.map { try Player($0, origin.rtmp("show"), into: folder) }

        #expect(try await encoder.result().status == 0)
        let sent = try await StreamPackets(file: source.path)
        for player in players {
            let received = try await player.packets()
            var expected = sent
            // rtmp2src holds one message for the pipeline and forgets it when the end of the stream is the next thing it
            // reads (gst_rtmp2_src_task_func clears it).
            if player.kind == .gstreamer, received.all.last != sent.all.last { expected.all.removeLast() }
            expectSuffix(received, of: expected, viewer: player.program.name)
            #expect(received.all.video.count > 25 && received.all.audio.count > 25, "\(player.program.name)")
        }
    }

    @Test("A viewer starts on the newest keyframe at once")
    func aViewerStartsOnTheNewestKeyframeAtOnce() async throws {
        let tags = try FLVFile(path: try await SourceMedia.h264AAC().path).tags
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show")
        // Two and a half GOPs, and then nothing more comes: what a viewer gets now it gets from the origin's memory.
        let sent = Array(tags.prefix(while: { $0.timestamp < 2_500 }))
        for tag in sent { try await publisher.send(tag.type, timestamp: UInt32(tag.timestamp), body: tag.body) }
        let keyframe = try #require(sent.lastIndex { $0.isKeyframe })
        let headers = sent.filter(\.isHeader)
        let expected = headers.map(\.body) + sent[keyframe...].map(\.body)

        let first = try await RTMPPeer.connect(.play, port: origin.rtmpPort, stream: "show")
        try await eventually("the GOP") { first.media.count >= expected.count }
        #expect(first.media.map(\.body) == expected)
        #expect(first.media.dropFirst(headers.count).map(\.timestamp) == sent[keyframe...].map { UInt32($0.timestamp) })
        // Headers have the keyframe's time, so that a player's clock starts there.
        #expect(first.media.prefix(headers.count).allSatisfy { $0.timestamp == UInt32(sent[keyframe].timestamp) })

        // The next message reaches old and new viewers alike.
        let second = try await RTMPPeer.connect(.play, port: origin.rtmpPort, stream: "show")
        let next = tags[sent.count]
        try await publisher.send(next.type, timestamp: UInt32(next.timestamp), body: next.body)
        try await eventually("the next message") {
            first.media.count == expected.count + 1 && second.media.count == expected.count + 1
        }
        #expect(first.media.last?.body == next.body)
        #expect(second.media.map(\.body) == expected + [next.body])
    }

    @Test("Audio alone, video alone and MP3 pass through")
    func soundAlonePicturesAloneAndMP3PassThrough() async throws {
        let sources = [
            ("sound", try await SourceMedia.audioOnly()), ("pictures", try await SourceMedia.videoOnly()),
            ("mp3", try await SourceMedia.h264MP3()),
        ]
        let origin = try await OriginProcess()
        let account = try await origin.account()
        let folder = try Folder()
        var players: [String: [Player]] = [:]
        for (stream, source) in sources {
            try await account.openStream(stream)
            let encoder = try Encoder.ffmpeg(source, to: origin.rtmp(stream))
            try await origin.untilPublished(stream)
            players[stream] = try [.ffmpeg, .rtmpdump].map {
                try Player($0, origin.rtmp(stream), into: folder, name: stream)
            }
            try await origin.untilViewed(stream, 2)
            #expect(try await encoder.result().status == 0)
        }
        for (stream, source) in sources {
            let sent = try await StreamPackets(file: source.path)
            for player in players[stream] ?? [] {
                expectSuffix(try await player.packets(), of: sent, viewer: player.program.name)
            }
        }
    }

    enum EnhancedCase: String, CaseIterable {
        case hevc, hevcLegacy, vp9, av1
    }

    /// Codecs that ffmpeg 5.1 cannot put into RTMP: its encoders' pictures in messages made here.
    @Test("HEVC, AV1 and VP9 pass untouched", arguments: EnhancedCase.allCases)
    func newerCodecsPassUntouched(_ codec: EnhancedCase) async throws {
        let stream = try await EnhancedStream(codec.rawValue)
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let publisher = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: "show")
        // The first message lets the viewer begin there.
        for message in stream.messages.prefix(2) {
            try await publisher.send(.video, timestamp: message.timestamp, body: message.body)
        }
        let viewer = try await RTMPPeer.connect(.play, port: origin.rtmpPort, stream: "show")
        for message in stream.messages.dropFirst(2) {
            try await publisher.send(.video, timestamp: message.timestamp, body: message.body)
        }
        try await eventually("all messages") { viewer.media.count >= stream.messages.count }
        #expect(viewer.media.map(\.body) == stream.messages.map(\.body))
        #expect(viewer.media.map(\.timestamp) == stream.messages.map(\.timestamp))
        try await publisher.stop()

        // And the same pictures over HLS, in the container that takes them.
        let playlist = try await origin.endedPlaylist("show")
        #expect(playlist.segments.allSatisfy { $0.name.hasSuffix(".m4s") })
        let master = try await HTTPGet(origin.playlist("show")).text
        #expect(master.contains("CODECS=\"\(stream.codecPrefix)"))
        #expect(master.contains("RESOLUTION=320x180"), "\(master)")
        let played = try await StreamPackets.slices(
            of: origin.playlist("show"), options: ["-live_start_index", "0"], video: StreamPackets.Filter.none,
            audio: nil)
        let made = try await StreamPackets.slices(of: stream.source.path, video: StreamPackets.Filter.none, audio: nil)
        _ = expectSame(played.all, as: made.all)
    }

    @Test("rtmpdump plays in every way it knows")
    func rtmpdumpPlaysInEveryWayItKnows() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.ffmpeg(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        // Without -v it takes the stream for a file, with -d it subscribes as some networks want it, with -w it shakes
        // hands with digests, with -C it sends arguments of its own.
        let digest = String(repeating: "0123456789abcdef", count: 4)
        let ways = [
            ("plain", []), ("subscribed", ["-v", "-d", "show"]), ("digest", ["-v", "-w", digest, "-x", "1000"]),
            ("arguments", ["-v", "-C", "S:more", "-C", "O:1", "-C", "NN:a:1.5", "-C", "O:0"]),
        ]
        let players = try ways.map { name, options in
            try Player(.rtmpdump, origin.rtmp("show"), into: folder, name: name, options: options)
        }
        #expect(try await encoder.result().status == 0)
        let sent = try await StreamPackets(file: source.path)
        for player in players { expectSuffix(try await player.packets(), of: sent, viewer: player.program.name) }
    }

    @Test("A stream that is not on air is not found")
    func aStreamThatIsNotOnAirIsNotFound() async throws {
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let dump = try await ForeignProgram.run(["rtmpdump", "-v", "-r", origin.rtmp("show"), "-o", "/dev/null"])
        #expect(dump.status != 0)
        #expect(dump.errors.contains("NetStream.Play.StreamNotFound"))
        let ffmpeg = try await ForeignProgram.run([
            "ffmpeg", "-v", "error", "-i", origin.rtmp("show"), "-f", "null", "-",
        ])
        #expect(ffmpeg.status != 0)
        #expect(ffmpeg.errors.contains("show is not on air."))
    }
}

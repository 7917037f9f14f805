import Foundation
import TestSupport
import Testing

/// The same streams over HTTP: what segments hold, what playlists say, who plays them.
@Suite(.serialized) struct HLSPlayTests {
    @Test("HLS segments hold what was sent, and players play them", arguments: ["", "?format=ts"])
    func segmentsHoldWhatWasSentAndPlayersPlayThem(query: String) async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let folder = try Folder()
        let began = Date()
        let encoder = try Encoder.ffmpeg(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        // The first playlist is kept waiting for the first segment.
        let playlist = origin.playlist("show") + query
        #expect(try await HTTPGet(playlist).status == 200)
        let isTransportStream = !query.isEmpty
        let live = folder.file("live.ts")
        let players = try [
            ForeignProgram([
                "gst-launch-1.0", "souphttpsrc", "location=\(playlist)", "!", "hlsdemux", "!",
                "filesink", "location=\(folder.file("gst"))",
            ]),
            ForeignProgram([
                "ffmpeg", "-v", "error", "-copyts", "-i", playlist, "-map", "0", "-c", "copy",
                "-muxdelay", "0", live,
            ]),
        ]
        #expect(try await encoder.result().status == 0)
        let ended = try await origin.endedPlaylist("show")

        let sent = try await StreamPackets.slices(
            of: source.path, video: StreamPackets.Filter.h264FromFLV, audio: StreamPackets.Filter.none)
        let served = try await StreamPackets.slices(
            of: playlist, options: ["-live_start_index", "0"],
            video: isTransportStream ? StreamPackets.Filter.h264FromTS : StreamPackets.Filter.h264FromFLV,
            audio: isTransportStream ? StreamPackets.Filter.aacFromTS : StreamPackets.Filter.none)
        let pictures = try #require(expectSame(served.all.video, as: sent.all.video))
        let sound = try #require(expectSame(served.all.audio, as: sent.all.audio))
        #expect(abs(pictures - sound) <= 1)
        #expect(sent.all.video.contains { $0.presentation > $0.decode + 40 }, "the source has no B-frames")

        for (player, file) in zip(players, [folder.file("gst"), live]) {
            let isTransportStream = isTransportStream || file == live
            let result = try await player.result()
            #expect(result.status == 0, "\(player.name): \(result.errors)")
            let played = try await StreamPackets.slices(
                of: file,
                video: isTransportStream ? StreamPackets.Filter.h264FromTS : StreamPackets.Filter.h264FromFLV,
                audio: isTransportStream ? StreamPackets.Filter.aacFromTS : StreamPackets.Filter.none)
            // They may begin later, but miss nothing from there on.
            #expect(played.all.video.count >= 50, "\(player.name)")
            #expect(played.all.video.map(\.hash) == sent.all.video.suffix(played.all.video.count).map(\.hash))
            #expect(played.all.audio.map(\.hash) == sent.all.audio.suffix(played.all.audio.count).map(\.hash))
        }

        // With a keyframe a second every segment but the last is two seconds long.
        #expect(ended.segments.dropLast().allSatisfy { abs($0.duration - 2) < 0.05 }, "\(ended.text)")
        #expect(ended.targetDuration == 2)
        #expect(abs(ended.segments.reduce(0) { $0 + $1.duration } - 8) < 0.1)
        for segment in ended.segments {
            let date = try #require(segment.date)
            #expect(date > began.addingTimeInterval(-1) && date < Date())
        }
    }

    @Test("The master playlist says what ffprobe sees")
    func theMasterPlaylistSaysWhatFfprobeSees() async throws {
        let origin = try await OriginProcess()
        let account = try await origin.account()
        let folder = try Folder()
        let sources: [(String, SourceMedia, codecs: String)] = [
            ("both", try await .h264AAC(), "avc1.%V,mp4a.40.2"), ("pictures", try await .videoOnly(), "avc1.%V"),
            ("sound", try await .audioOnly(), "mp4a.40.2"), ("mp3", try await .h264MP3(), "avc1.%V,mp4a.40.34"),
        ]
        for (stream, source, codecs) in sources {
            try await account.openStream(stream)
            let encoder = try Encoder.ffmpeg(source, to: origin.rtmp(stream), before: ["-readrate", "5"])
            #expect(try await encoder.result().status == 0)
            let ended = try await origin.endedPlaylist(stream)
            let seen = try await StreamPackets.facts(of: source.path)
            let master = try await HTTPGet(origin.playlist(stream)).text
            let expected = codecs.replacingOccurrences(of: "%V", with: seen.avcCodec ?? "")
            #expect(master.contains("CODECS=\"\(expected)\""), "\(stream): \(master)")
            #expect(master.contains("RESOLUTION=") == (seen.resolution != nil))
            if let resolution = seen.resolution {
                #expect(master.contains("RESOLUTION=\(resolution)"), "\(stream): \(master)")
                #expect(master.contains("FRAME-RATE=25.000"), "\(stream): \(master)")
            }
            // The segments play, and hold everything.
            let hasPictures = stream != "sound"
            let sound = ["both": StreamPackets.Filter.none, "sound": StreamPackets.Filter.none, "mp3": "null"]
            let served = try await StreamPackets.slices(
                of: try await origin.download(ended, of: stream, into: folder),
                video: hasPictures ? StreamPackets.Filter.h264FromFLV : nil, audio: sound[stream])
            let sent = try await StreamPackets.slices(
                of: source.path, video: hasPictures ? StreamPackets.Filter.h264FromFLV : nil,
                audio: sound[stream].map { _ in StreamPackets.Filter.none })
            #expect(!ended.segments.isEmpty)
            if stream == "mp3" {
                // MP3 has no header that announces it: the stream begins for viewers where both kinds are known.
                #expect(served.all.video.count >= 100 && served.all.audio.count >= 150)
                _ = expectSame(served.all.video, as: Array(sent.all.video.suffix(served.all.video.count)))
                _ = expectSame(served.all.audio, as: Array(sent.all.audio.suffix(served.all.audio.count)))
            } else {
                _ = expectSame(served.all.video, as: sent.all.video)
                _ = expectSame(served.all.audio, as: sent.all.audio)
            }
        }
    }

    @Test("Playlists are as players and caches want them")
    func playlistsAreAsPlayersAndCachesWantThem() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        try await origin.account().openStream("show")
        let encoder = try Encoder.endlessAndFast(source, to: origin.rtmp("show"))
        try await eventually("a window that has moved") {
            (try await origin.mediaPlaylist("show")?.mediaSequence ?? 0) > 0
        }
        let playlist = try #require(try await origin.mediaPlaylist("show"))
        #expect(playlist.segments.count == 6)
        #expect(playlist.isEnded == false)
        #expect(playlist.segments.allSatisfy { abs($0.duration - 2) < 0.1 }, "\(playlist.text)")
        #expect(playlist.segments.allSatisfy { $0.date != nil })
        encoder.kill()
        try await eventually("the loss") { origin.logLines("publisher lost") == 1 }

        for address in [origin.playlist("show"), origin.chunklist("show")] {
            let plain = try await Web.get(address)
            #expect(plain.headers["content-encoding"] == nil)
            #expect(plain.headers["content-type"] == "application/vnd.apple.mpegurl")
            #expect(plain.headers["access-control-allow-origin"] == "*")
            #expect(plain.headers["cache-control"] == "public, max-age=1")
            let tag = try #require(plain.headers["etag"])
            let again = try await Web.get(address, ["If-None-Match: \(tag)"])
            #expect(again.status == 304 && again.body.isEmpty)
            let fresh = try await Web.get(address, ["If-None-Match: \"other\""])
            #expect(fresh.status == 200 && fresh.body == plain.body)

            let small = try await Web.get(address, ["Accept-Encoding: gzip"])
            #expect(small.headers["content-encoding"] == "gzip")
            #expect(small.headers["vary"] == "Accept-Encoding")
            #expect(small.headers["etag"] != tag)
            let folder = try Folder()
            try small.body.write(to: URL(fileURLWithPath: folder.file("playlist.gz")))
            let unpacked = try await ForeignProgram.run(["gzip", "-dc", folder.file("playlist.gz")])
            #expect(unpacked.output == plain.body)
        }
        let segment = try await Web.get(
            origin.chunklist("show").replacingOccurrences(of: "chunklist.m3u8", with: playlist.segments[5].name))
        #expect(segment.status == 200)
        #expect(segment.headers["content-type"] == "video/mp4")
        #expect(segment.headers["cache-control"] == "public, max-age=31536000, immutable")
        #expect(segment.headers["access-control-allow-origin"] == "*")
        #expect(segment.body.dropFirst(4).prefix(4) == Data("moof".utf8))
    }

    @Test("Media sequences go on after a republish and after a restart")
    func mediaSequencesGoOnAfterARepublishAndAfterARestart() async throws {
        let source = try await SourceMedia.videoOnly()
        let folder = try Folder()
        let first = try await OriginProcess(["hls.segment_duration: 500ms"], folder: folder)
        let account = try await first.account()
        try await account.openStream("show")
        var next = 0
        var names: Set<String> = []
        for round in 1...2 {
            let encoder = try Encoder.ffmpeg(source, to: first.rtmp("show"), before: ["-readrate", "5"])
            try await first.untilPublished("show", round)
            #expect(try await encoder.result().status == 0)
            try await eventually("round \(round)") {
                guard let playlist = try await first.mediaPlaylist("show") else { return false }
                return playlist.isEnded && playlist.nextSequence > next
            }
            let playlist = try await first.endedPlaylist("show")
            #expect(playlist.mediaSequence >= next, "\(playlist.text)")
            #expect(playlist.segments.first?.isDiscontinuity == (round == 2))
            #expect(names.isDisjoint(with: playlist.segments.map(\.name)))
            names.formUnion(playlist.segments.map(\.name))
            next = playlist.nextSequence
        }
        first.signal(SIGKILL)
        try await eventually("its death") { !first.isRunning }

        let second = try await OriginProcess(["hls.segment_duration: 500ms"], folder: folder)
        #expect(try await second.mediaPlaylist("show") == nil)
        let encoder = try Encoder.ffmpeg(source, to: second.rtmp("show"), before: ["-readrate", "5"])
        #expect(try await encoder.result().status == 0)
        let playlist = try await second.endedPlaylist("show")
        #expect(playlist.mediaSequence >= next)
        #expect(playlist.segments.first?.isDiscontinuity == true)
        #expect(names.isDisjoint(with: playlist.segments.map(\.name)))
    }
}

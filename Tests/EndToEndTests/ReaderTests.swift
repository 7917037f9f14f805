import Foundation
import TestSupport
import Testing

/// Programs that share nothing with this server read what it writes: GStreamer's player of HLS (hlsdemux2), the Python package m3u8,
/// and MediaInfo.
@Suite("Independent readers", .serialized) struct ReaderTests {
    /// What `read.py` says of a playlist.
    private struct Playlist: Decodable {
        struct Variant: Decodable {
            var uri: String
            var bandwidth: Int
            var average: Int
            var codecs: String
            var resolution: String
            var rate: Double
            var range: String?
        }

        var variants: [Variant]?
        var version: Int?
        var first: Int?
        var target: Double?
        var ended: Bool?
        var independent: Bool?
        var segments: [String]?
        var durations: [Double]?
        var dates: [Double]?
        var maps: [String]?
        var parts: [[String]]?
        var partDurations: [[Double]]?
        var partTarget: Double?
        var blocks: String?
        var partHoldBack: Double?
        var skipUntil: Double?
        var hint: String?
        var reports: [String]?
        var skipped: Int?
    }

    /// What `read.py` says of MP4.
    private struct File: Decodable {
        struct Track: Decodable, Equatable {
            var format: String
            var codec: String
            var frames: Int
            var milliseconds: Double
            var size: String
            var rate: String?
            var sampling: Int?
        }

        var video: Track?
        var audio: Track?
        /// What it makes of the file box by box, where it has doubts.
        var doubts: [String]
    }

    private func read<Found: Decodable>(_ folder: Folder, as: Found.Type) async throws -> [String: Found] {
        let read = try await ForeignProgram.output(
            of: ["python3", Fixture.path("read.py"), folder.path], environment: ["PYTHONPATH": Places.readers])
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode([String: Found].self, from: read.output)
    }

    /// GStreamer's newer player, which plays until it is told the end.
    private func gstreamer(_ address: String, into file: String) throws -> ForeignProgram {
        try ForeignProgram(
            [
                "gst-launch-1.0", "-q", "urisourcebin", "name=u", "uri=\(address)", "mpegtsmux", "name=m", "!",
                "filesink", "location=\(file)", "u.", "!", "video/x-h264", "!", "queue", "!", "h264parse", "!", "m.",
                "u.", "!", "audio/mpeg", "!", "queue", "!", "aacparse", "!", "m.",
            ], environment: ["GST_PLUGIN_FEATURE_RANK": "hlsdemux:0"])
    }

    @Test("Every kind of playlist, and every segment and part, is to others what it is to us")
    func readAlike() async throws {
        try #require(
            FileManager.default.fileExists(atPath: Places.readers), "no readers: run scripts/fetch-readers first")
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["hls.segment_duration: 1s", "hls.window: 10"])
        let account = try await origin.account()
        for name in ["show_360p", "show_720p"] { try await account.openStream(name) }
        let encoder = try ForeignProgram([
            "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-i", source.path,
            "-map", "0", "-c", "copy", "-f", "flv", origin.rtmp("show_360p"),
            "-map", "0", "-c", "copy", "-f", "flv", origin.rtmp("show_720p"),
        ])
        try await origin.untilPublished("show_360p")
        try await origin.untilPublished("show_720p")
        try await eventually("both renditions in the master playlist") {
            let master = try await HTTPGet(origin.playlist("show"))
            return master.text.contains("\nr_360p/chunklist.m3u8\n")
                && master.text.contains("\nr_720p/chunklist.m3u8\n")
        }
        let folder = try Folder()
        let addresses = [
            ("program", origin.playlist("show")), ("rendition", origin.playlist("show_360p")),
            ("old", origin.playlist("show_360p") + "?format=ts"),
        ]
        var players: [(String, ForeignProgram)] = []

        // All kinds of playlists each time there is another segment.
        let playlists = try Folder()
        let media = origin.playlist("show").replacing("playlist.m3u8", with: "r_360p/chunklist.m3u8")
        try playlists.write(try await HTTPGet(origin.playlist("show")).text, to: "master.m3u8")
        var rounds: [MediaPlaylistText] = []
        while rounds.last?.isEnded != true {
            let next = (rounds.last?.nextSequence).map { "?_HLS_msn=\($0)&_HLS_part=1" } ?? ""
            let reply = try await HTTPGet(media + next)
            try #require(reply.status == 200, "\(reply.text)")
            let round = MediaPlaylistText(reply.text)
            try playlists.write(reply.text, to: "media_\(rounds.count).m3u8")
            let delta = try await HTTPGet(media + "?_HLS_skip=YES")
            try playlists.write(delta.text, to: "delta_\(rounds.count).m3u8")
            let old = try await HTTPGet(media.replacing("chunklist", with: "chunklist_ts"))
            try playlists.write(old.text, to: "ts_\(rounds.count).m3u8")
            rounds.append(round)
            // hlsdemux2 loses its way in a playlist of one segment.
            guard players.isEmpty, round.segments.count >= 3 else { continue }
            players = try addresses.map { name, address in (name, try gstreamer(address, into: folder.file(name))) }
        }
        #expect(try await encoder.result().status == 0)
        let found = try await read(playlists, as: Playlist.self)
        try expectPlaylists(found, rounds)
        try await expectFiles(rounds, found, of: media)

        let sent = try await StreamPackets.slices(
            of: source.path, video: StreamPackets.Filter.h264FromFLV, audio: StreamPackets.Filter.none)
        for (name, player) in players {
            let result = try await player.result()
            try #require(result.status == 0, "\(name): \(result.errors)")
            let played = try await StreamPackets.slices(
                of: folder.file(name), video: StreamPackets.Filter.h264FromTS, audio: StreamPackets.Filter.aacFromTS)
            #expect(played.all.video.count >= 50 && played.all.audio.count >= 80, "\(name)")
            #expect(
                played.all.video.map(\.hash) == sent.all.video.suffix(played.all.video.count).map(\.hash), "\(name)")
            #expect(
                played.all.audio.map(\.hash) == sent.all.audio.suffix(played.all.audio.count).map(\.hash), "\(name)")
        }
    }

    private func expectPlaylists(_ found: [String: Playlist], _ rounds: [MediaPlaylistText]) throws {
        let variants = try #require(found["master.m3u8"]?.variants)
        #expect(variants.map(\.uri) == ["r_360p/chunklist.m3u8", "r_720p/chunklist.m3u8"])
        for variant in variants {
            #expect(variant.resolution == "320x180" && variant.rate == 25 && variant.bandwidth >= variant.average)
            #expect(variant.codecs.wholeMatch(of: /avc1\.64[0-9a-f]{4},mp4a\.40\.2/) != nil, "\(variant.codecs)")
        }
        #expect(rounds.count >= 7)
        for (index, round) in rounds.enumerated() {
            let media = try #require(found["media_\(index).m3u8"])
            #expect(media.first == round.mediaSequence && media.target == Double(round.targetDuration))
            #expect(media.segments == round.segments.map(\.name) && media.durations == round.segments.map(\.duration))
            #expect(media.maps == [round.initialization ?? ""] && media.independent == true)
            #expect(media.ended == round.isEnded && (media.hint == nil) == round.isEnded)
            #expect(media.version == 9 && media.blocks == "YES")
            #expect(media.reports == ["../r_720p/chunklist.m3u8"] || round.isEnded)
            let target = try #require(media.partTarget)
            #expect(media.partHoldBack ?? 0 >= 3 * target && media.skipUntil == 6 * Double(round.targetDuration))
            // A segment is as long as its parts, and each begins where the one before it ended.
            for (duration, parts) in zip(media.durations ?? [], media.partDurations ?? []) where !parts.isEmpty {
                #expect(abs(duration - parts.reduce(0, +)) < 0.002 && parts.allSatisfy { $0 <= target })
            }
            // m3u8 takes the dates of segments with parts for those of their parts.
            let dates = zip(media.dates ?? [], round.segments.compactMap(\.date))
            #expect(dates.allSatisfy { abs($0 - $1.timeIntervalSince1970) < 0.001 } && media.dates?.isEmpty == false)

            let delta = try #require(found["delta_\(index).m3u8"])
            let full = round.segments.map(\.name)
            if delta.first == round.mediaSequence {
                #expect(delta.segments?.prefix(full.count - (delta.skipped ?? 0)) == full.dropFirst(delta.skipped ?? 0))
            }
            let old = try #require(found["ts_\(index).m3u8"])
            #expect(old.segments?.allSatisfy { $0.hasSuffix(".ts") } == true && old.maps == [] && old.hint == nil)
            #expect(old.partTarget == nil && old.parts?.allSatisfy(\.isEmpty) == true)
            #expect(old.durations?.prefix(full.count) == round.segments.map(\.duration)[...])
        }
        #expect(found.values.contains { $0.skipped ?? 0 > 0 })
    }

    /// Each segment and each part by itself, behind the initialization section.
    private func expectFiles(
        _ rounds: [MediaPlaylistText], _ found: [String: Playlist], of media: String
    ) async throws {
        let last = try #require(rounds.last)
        let playlist = try #require(found["media_\(rounds.count - 1).m3u8"])
        let files = try Folder()
        func get(_ name: String) async throws -> [UInt8] {
            let reply = try await HTTPGet(media.replacing("chunklist.m3u8", with: name))
            try #require(reply.status == 200, "\(name)")
            return reply.body
        }
        let start = try await get(try #require(last.initialization))
        let parts = (playlist.parts ?? []).flatMap(\.self)
        for name in last.segments.map(\.name) + parts {
            try Data(start + (try await get(name))).write(to: URL(fileURLWithPath: files.file(name)))
        }
        let read = try await read(files, as: File.self)
        #expect(read.count == last.segments.count + parts.count && parts.count >= 10)
        #expect(read.values.flatMap(\.doubts) == [])
        var frames: [String: Int] = [:]
        for (name, file) in read {
            let video = try #require(file.video, "\(name)")
            #expect(video.format == "AVC" && video.codec == "avc1" && video.size == "320x180", "\(name)")
            frames[name] = video.frames
            if let audio = file.audio {
                #expect(audio.format == "AAC" && audio.codec == "mp4a-40-2" && audio.sampling == 44_100, "\(name)")
            }
        }
        for (segment, parts) in zip(last.segments, playlist.parts ?? []) {
            let file = try #require(read[segment.name])
            // The last one is as long as its audio.
            let isLast = segment.name == last.segments.last?.name
            #expect(isLast || file.video?.frames == Int((segment.duration * 25).rounded()), "\(segment)")
            #expect(file.audio?.frames ?? 0 >= 35, "\(segment)")
            guard !parts.isEmpty else { continue }
            #expect(parts.reduce(0) { $0 + (frames[$1] ?? 0) } == file.video?.frames, "\(segment)")
        }
    }
}

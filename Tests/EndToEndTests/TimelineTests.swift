import Foundation
import NIOCore
import RTMP
import StrictHLSClient
import TestSupport
import Testing

/// Rates, times and changes that encoders come with, through the running program: strictly right playlists, and every frame as it was
/// sent and when it was sent.
@Suite("Timelines", .serialized) struct TimelineTests {
    private struct Message {
        var type: RTMPMessageType
        /// Milliseconds, from 0 on.
        var time: Int64
        var body: ByteBuffer
    }

    private struct Timeline {
        var name: String
        var messages: [Message]
        /// What the encoder's clock shows at the beginning, in milliseconds.
        var start: Int64 = 0
        /// Files that hold what is sent, one after the other.
        var sources: [SourceMedia]
        /// How the master playlist and the MPD name the frame rate.
        var rate = ("25.000", "25")
        var target = 1
    }

    private func messages(_ source: SourceMedia, from start: Int64 = 0) throws -> [Message] {
        try FLVFile(path: source.path).tags.map {
            Message(type: $0.type, time: $0.timestamp + start, body: $0.body)
        }
    }

    private func timelines() async throws -> [Timeline] {
        let usual = try await SourceMedia.h264AAC()
        let (film, television, sports) = (
            try await SourceMedia.film(), try await SourceMedia.television(), try await SourceMedia.sports()
        )
        let (small, long) = (try await SourceMedia.small(), try await SourceMedia.longGOPs())
        let all = try messages(usual)
        let audio = all.filter { $0.type == .audio }
        let late = all.filter { $0.type != .audio }.map { message in
            var message = message
            message.time += 1_500
            return message
        }
        return [
            Timeline(
                name: "film", messages: try messages(film), sources: [film], rate: ("23.976", "24000/1001")),
            Timeline(
                name: "television", messages: try messages(television), sources: [television],
                rate: ("29.970", "30000/1001")),
            Timeline(
                name: "sports", messages: try messages(sports), sources: [sports], rate: ("59.940", "60000/1001")),
            Timeline(name: "long", messages: try messages(long), sources: [long], target: 10),
            Timeline(
                name: "change", messages: all + (try messages(small, from: 8_120)), sources: [usual, small]),
            // The audio of a second and a half is there when video begins.
            Timeline(
                name: "audiofirst",
                messages: (audio + late).enumerated().sorted {
                    ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
                }
                .map(\.element),
                sources: [usual]),
            // RTMP's clock has 32 bits of milliseconds.
            Timeline(name: "rtmpwrap", messages: all, start: (1 << 32) - 4_000, sources: [usual]),
            // That of MPEG-TS has 33 bits of 90 kHz, which is 26.5 hours.
            Timeline(name: "tswrap", messages: all, start: (1 << 33) / 90 - 4_000, sources: [usual]),
        ]
    }

    /// Sends each message when it is due.
    private func publish(_ timeline: Timeline, to origin: OriginProcess) async throws {
        let peer = try await RTMPPeer.connect(.publish, port: origin.rtmpPort, stream: timeline.name)
        let clock = ContinuousClock()
        let began = clock.now
        for message in timeline.messages {
            try await clock.sleep(until: began + .milliseconds(message.time))
            try await peer.send(
                message.type, timestamp: UInt32(truncatingIfNeeded: message.time + timeline.start), body: message.body)
        }
        try await peer.stop()
    }

    @Test(
        "Rates of film and television, ten seconds between keyframes, audio first, a change in the middle, and clocks that wrap"
    )
    func everyTimeline() async throws {
        let timelines = try await timelines()
        let origin = try await OriginProcess(["hls.segment_duration: 1s", "hls.window: 60"])
        let account = try await origin.account()
        for timeline in timelines { try await account.openStream(timeline.name) }
        let outcomes = try await withThrowingTaskGroup(of: (String, StrictClient.Outcome).self) { group in
            for timeline in timelines {
                group.addTask {
                    async let published: Void = publish(timeline, to: origin)
                    try await eventually("a playlist of \(timeline.name)", within: .seconds(60)) {
                        try await origin.mediaPlaylist(timeline.name) != nil
                    }
                    let client = StrictClient(playlist: origin.chunklist(timeline.name))
                    let outcome = try await client.follow(tolerance: .seconds(10))
                    try await published
                    return (timeline.name, outcome)
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for timeline in timelines {
            let outcome = try #require(outcomes[timeline.name])
            #expect(outcome.checker.violations == [], "\(timeline.name)")
            #expect(
                outcome.parts > 20 && outcome.checker.playlist("chunklist.m3u8")?.isEnded == true, "\(timeline.name)")
            try await expectEverything(of: timeline, at: origin)
        }
    }

    /// What stands in the segments of each initialization section, one after the other.
    private func files(of timeline: Timeline, at origin: OriginProcess, into folder: Folder) async throws -> [String] {
        let playlist = try #require(try await origin.mediaPlaylist(timeline.name))
        var files: [(initialization: String, bytes: [UInt8])] = []
        func get(_ name: String) async throws -> [UInt8] {
            let reply = try await HTTPGet(
                origin.chunklist(timeline.name).replacing("chunklist.m3u8", with: name))
            try #require(reply.status == 200, "\(name)")
            return reply.body
        }
        for line in playlist.text.split(separator: "\n") {
            if line.hasPrefix("#EXT-X-MAP:URI=\"") {
                let name = String(line.dropFirst(16).dropLast())
                files.append((name, try await get(name)))
            } else if !line.hasPrefix("#"), !files.isEmpty {
                files[files.count - 1].bytes += try await get(String(line))
            }
        }
        return try files.enumerated().map { index, file in
            let path = folder.file("\(timeline.name)_\(index).mp4")
            try Data(file.bytes).write(to: URL(fileURLWithPath: path))
            return path
        }
    }

    private func expectEverything(of timeline: Timeline, at origin: OriginProcess) async throws {
        let name = Comment(rawValue: timeline.name)
        let folder = try Folder()
        let files = try await files(of: timeline, at: origin, into: folder)
        // Who comes before the video gets audio alone, until it joins.
        let isEarly = timeline.name == "audiofirst"
        try #require(files.count == timeline.sources.count + (isEarly ? 1 : 0), name)
        for (file, source) in zip(isEarly ? Array(files.dropFirst()) : files, timeline.sources) {
            let sent = try await StreamPackets.slices(
                of: source.path, video: StreamPackets.Filter.h264FromFLV, audio: StreamPackets.Filter.none)
            let served = try await StreamPackets.slices(
                of: file, video: StreamPackets.Filter.h264FromFLV, audio: StreamPackets.Filter.none)
            let video = expectSame(served.all.video, as: sent.all.video)
            let audio = expectSame(served.all.audio, as: Array(sent.all.audio.suffix(served.all.audio.count)))
            #expect(served.all.audio.count > sent.all.audio.count / 2, name)
            if !isEarly { #expect(abs((video ?? 0) - (audio ?? .max)) <= 1, name) }
            _ = try await cleanOutput(
                of: ["ffmpeg", "-v", "error", "-xerror", "-i", file, "-f", "null", "-"], in: folder)
        }
        let master = try await HTTPGet(origin.playlist(timeline.name)).text
        #expect(master.contains("FRAME-RATE=\(timeline.rate.0)"), "\(timeline.name): \(master)")
        let mpd = try #require(MPDFile(try await HTTPGet(origin.manifest(timeline.name)).text))
        #expect(mpd.problems == [], name)
        let rates = mpd.periods.flatMap { $0.all("AdaptationSet") }.flatMap { $0.all("Representation") }
            .compactMap { $0.attributes["frameRate"] }
        #expect(rates.last == timeline.rate.1, name)
        let playlist = try #require(try await origin.mediaPlaylist(timeline.name))
        #expect(playlist.targetDuration == timeline.target, name)

        guard !isEarly, timeline.sources.count == 1, let source = timeline.sources.first else { return }
        // The same in MPEG-TS.
        let sent = try await StreamPackets.slices(
            of: source.path, video: StreamPackets.Filter.h264FromFLV, audio: StreamPackets.Filter.none)
        let old = try await StreamPackets.slices(
            of: origin.playlist(timeline.name) + "?format=ts", options: ["-live_start_index", "0"],
            video: StreamPackets.Filter.h264FromTS, audio: StreamPackets.Filter.aacFromTS)
        _ = expectSame(old.all.video, as: sent.all.video)
        _ = expectSame(old.all.audio, as: Array(sent.all.audio.suffix(old.all.audio.count)))
        #expect(old.all.audio.count > sent.all.audio.count / 2, name)
    }
}

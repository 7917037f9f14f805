import ControlAPI
import Foundation
import StrictHLSClient
import TestSupport
import Testing

/// Two encoders of one stream, with viewers of whom none may notice when one of them is killed.
@Suite(.serialized) struct BackupEncoderTests {
    @Test(
        "Viewers go on with the backup when the primary is killed or stands still, and with the primary when it is back"
    )
    func failover() async throws {
        let folder = try Folder()
        // Another picture size: the codecs' configuration changes with the encoder. Longer than the test takes.
        let source = SourceMedia(path: try await MediaPacket.makeFile(in: folder, seconds: 200, size: "160x90"))
        let other = SourceMedia(path: try await MediaPacket.makeFile(in: folder, seconds: 200))
        let origin = try await OriginProcess([
            "live.backup_after: 1s", "live.primary_after: 2s", "live.reconnect_window: 60s", "hls.segment_duration: 1s",
            "hls.window: 10",
        ])
        let account = try await origin.account()
        try await account.openStream("show")
        let killed = try Encoder.ffmpeg(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let backup = try Encoder.ffmpeg(other, to: origin.rtmp("show_backup"))
        try await origin.untilPublished("show", 2)
        try await eventually("a playlist") { try await origin.mediaPlaylist("show") != nil }
        #expect(try await encoders(account) == [["primary", true], ["backup", false]])
        // It is no stream of its own.
        #expect(try await HTTPGet(origin.playlist("show_backup")).status == 404)

        let strict = Task { try await StrictClient(playlist: origin.chunklist("show")).follow(tolerance: .seconds(10)) }
        let player = try Player(.ffmpeg, origin.rtmp("show"), into: folder)
        try await origin.untilViewed("show")
        try await goesOn(origin)

        killed.signal(SIGKILL)
        try await onAir("backup", "the other encoder's connection broke", 1, origin)
        try await goesOn(origin)
        let primary = try Encoder.ffmpeg(source, to: origin.rtmp("show"))
        try await onAir("primary", "the primary encoder is back and stable", 1, origin)
        try await goesOn(origin)
        #expect(try await encoders(account) == [["primary", true], ["backup", false]])

        primary.signal(SIGSTOP)
        try await onAir("backup", "the other encoder sends nothing", 1, origin)
        try await goesOn(origin)
        #expect(try await encoders(account) == [["backup", true], ["primary", false]])
        primary.signal(SIGCONT)
        try await onAir("primary", "the primary encoder is back and stable", 2, origin)
        try await goesOn(origin)

        // The one on air ends, and at last the other.
        primary.signal(SIGTERM)
        try await onAir("backup", "the other encoder ended", 1, origin)
        try await goesOn(origin)
        backup.signal(SIGTERM)
        let outcome = try await strict.value
        #expect(outcome.checker.violations == [])
        #expect(outcome.checker.playlist("chunklist.m3u8")?.isEnded == true)
        #expect(origin.logLines("publisher lost") == 0)
        #expect(try await account.events("show").compactMap { $0["metadata"]?.objectValue?["on_air"] }.count == 5)

        try await expect(player, of: [source, other])
    }

    private func encoders(_ account: TestAccount) async throws -> [[JSONValue?]] {
        let details = try await account.succeed(
            "stream.details", ["app": "demo-origin", "inst": "live", "stream": "show"])
        return (details["stream"]?.objectValue?["encoders"]?.arrayValue ?? []).map {
            [$0.objectValue?["role"], $0.objectValue?["on_air"]]
        }
    }

    private func onAir(_ role: String, _ reason: String, _ count: Int, _ origin: OriginProcess) async throws {
        try await eventually("\(role) on air: \(reason)") {
            origin.logLines("\(role) encoder on air", "\"\(reason)\"") == count
                || origin.logLines("\(role) encoder on air", "reason=\(reason)") == count
        }
    }

    /// Two segments more.
    private func goesOn(_ origin: OriginProcess) async throws {
        let before = try #require(try await origin.mediaPlaylist("show")).nextSequence
        try await eventually("two segments more") {
            try await origin.mediaPlaylist("show")?.nextSequence ?? 0 >= before + 2
        }
    }

    /// The player has got runs of one encoder and the other, each from a keyframe on and without a hole, on one timeline.
    private func expect(_ player: Player, of sources: [SourceMedia]) async throws {
        let received = try await player.packets()
        var places: [String: (source: Int, index: Int)] = [:]
        var counts: [Int] = []
        for (source, media) in sources.enumerated() {
            let video = try await StreamPackets(file: media.path).all.video
            for (index, packet) in video.enumerated() { places[packet.hash] = (source, index) }
            counts.append(video.count)
        }
        let video = received.all.video
        var runs = [try #require(places[video[0].hash]?.source)]
        for (earlier, later) in zip(video, video.dropFirst()) {
            let from = try #require(places[earlier.hash])
            let to = try #require(places[later.hash])
            #expect(earlier.decode < later.decode && later.decode - earlier.decode < 1_000, "\(earlier), \(later)")
            if from.source == to.source, to.index == (from.index + 1) % counts[to.source] { continue }
            #expect(from.source != to.source, "\(earlier) is not followed by \(later)")
            #expect(received.keyframes.contains(later.hash), "\(later) begins a run")
            runs.append(to.source)
        }
        #expect(runs == [0, 1, 0, 1, 0, 1])
        for (earlier, later) in zip(received.all.audio, received.all.audio.dropFirst()) {
            #expect(earlier.decode < later.decode && later.decode - earlier.decode < 1_000, "\(earlier), \(later)")
        }
    }
}

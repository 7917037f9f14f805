import ControlAPI
import Foundation
import TestSupport
import Testing

/// Encoders that come, drop, return, are replaced and go; viewers that stay.
@Suite(.serialized) struct StreamLifeTests {
    @Test("A second encoder is refused while the first sends")
    func aSecondEncoderIsRefusedWhileTheFirstSends() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess()
        let account = try await origin.account()
        try await account.openStream("show")
        let first = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let second = try await Encoder.ffmpeg(source, to: origin.rtmp("show")).result()
        #expect(second.status != 0)
        #expect(second.errors.contains("the stream is being published already"), "\(second.errors)")
        #expect(first.isRunning)
        #expect(origin.publishers("show") == 1)
        try await eventually("the events") { try await account.events("show").count == 2 }
        let row = try #require(try await account.events("show").last)
        #expect(row["metadata"]?.objectValue?["error"] == "the stream is being published already")
        // It may publish, only not now.
        #expect(row["authenticated"] == true)
    }

    @Test("A silent encoder is replaced, and viewers stay")
    func aSilentEncoderIsReplacedAndViewersStay() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["live.takeover_after: 1s", "hls.segment_duration: 500ms"])
        try await origin.account().openStream("show")
        let folder = try Folder()
        let first = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let player = try Player(.rtmpdump, origin.rtmp("show"), into: folder)
        let before = try await segments(of: "show", on: origin, atLeast: 2)

        first.signal(SIGSTOP)
        // Refused for as long as the first may only be slow.
        var second = try Encoder.ffmpeg(source, to: origin.rtmp("show"), seconds: 3)
        try await eventually("the takeover") {
            if !second.isRunning, origin.publishers("show") < 2 {
                second = try Encoder.ffmpeg(source, to: origin.rtmp("show"), seconds: 3)
            }
            return origin.publishers("show") == 2
        }
        try await eventually("the dismissal of the first") { origin.logLines("publisher dismissed: takenOver") == 1 }
        first.signal(SIGCONT)
        #expect(try await first.result().status != 0)
        let replaced = try await second.result()
        #expect(replaced.status == 0, "\(replaced.errors)")

        try await expectTwoRuns(player, of: source)
        try await expectOneDiscontinuity("show", on: origin, after: before)
    }

    @Test("An encoder that was killed comes back, and viewers stay")
    func aKilledEncoderComesBackAndViewersStay() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["live.reconnect_window: 60s", "hls.segment_duration: 500ms"])
        let account = try await origin.account()
        try await account.openStream("show")
        let folder = try Folder()
        let first = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let player = try Player(.rtmpdump, origin.rtmp("show"), into: folder)
        let before = try await segments(of: "show", on: origin, atLeast: 2)

        first.signal(SIGKILL)
        try await eventually("the loss") { origin.logLines("publisher lost") == 1 }
        #expect(try await origin.mediaPlaylist("show")?.isEnded == false)
        #expect(player.program.isRunning)
        let second = try await Encoder.ffmpeg(source, to: origin.rtmp("show"), seconds: 3).result()
        #expect(second.status == 0, "\(second.errors)")

        try await expectTwoRuns(player, of: source)
        try await expectOneDiscontinuity("show", on: origin, after: before)
        try await eventually("the events") { try await account.events("show").count == 3 }
        // One going off the air for two coming on: between them the stream was never away.
        #expect(try await account.events("show").map { $0["event"] } == ["publish", "publish", "unpublish"])
    }

    @Test("When the encoder does not return, the stream ends for everybody")
    func withoutAReturnTheStreamEndsForEverybody() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["live.reconnect_window: 1s", "hls.segment_duration: 500ms"])
        let account = try await origin.account()
        try await account.openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.endless(source, to: origin.rtmp("show"))
        try await origin.untilPublished("show")
        let players = try [Player.Kind.rtmpdump, .ffmpeg].map { try Player($0, origin.rtmp("show"), into: folder) }
        try await origin.untilViewed("show", 2)
        _ = try await segments(of: "show", on: origin, atLeast: 1)
        encoder.signal(SIGKILL)
        for player in players { #expect(try await player.packets().all.isEmpty == false) }
        #expect(try await origin.endedPlaylist("show").segments.isEmpty == false)
        try await eventually("the event") { try await account.events("show").last?["event"] == "unpublish" }
        let active = try await account.succeed("stream.active", ["app": "demo-origin", "inst": "live"])
        #expect(active["streams"]?.arrayValue?.isEmpty == true)
    }

    @Test("An orderly end ends the stream at once")
    func anOrderlyEndIsAnEndAtOnce() async throws {
        let source = try await SourceMedia.h264AAC()
        let origin = try await OriginProcess(["live.reconnect_window: 1800s", "hls.segment_duration: 500ms"])
        try await origin.account().openStream("show")
        let folder = try Folder()
        let encoder = try Encoder.ffmpeg(source, to: origin.rtmp("show"), seconds: 4)
        try await origin.untilPublished("show")
        let player = try Player(.rtmpdump, origin.rtmp("show"), into: folder)
        #expect(try await encoder.result().status == 0)
        #expect(try await origin.endedPlaylist("show").segments.contains(where: \.isDiscontinuity) == false)
        #expect(try await player.packets().all.isEmpty == false)
        #expect(origin.logLines("publisher lost") == 0)
    }

    // MARK: What the tests share

    /// Waits for a playlist with so many segments.
    private func segments(of stream: String, on origin: OriginProcess, atLeast count: Int) async throws
        -> MediaPlaylistText
    {
        try await eventually("\(count) segments of \(stream)") {
            (try await origin.mediaPlaylist(stream)?.nextSequence ?? 0) >= count
        }
        return try #require(try await origin.mediaPlaylist(stream))
    }

    /// The player's file holds some of the endless run and then the first three seconds of another, on one timeline.
    private func expectTwoRuns(_ player: Player, of source: SourceMedia) async throws {
        let received = try await player.packets()
        let sent = try await StreamPackets(file: source.path).all.video
        let video = received.all.video
        let beginning = try #require(sent.first).hash
        let second = try #require(video.lastIndex { $0.hash == beginning })
        let rest = video[second...].map(\.hash)
        #expect(second > 0, "nothing of the first run")
        #expect(rest.count >= 75 && rest == sent.prefix(rest.count).map(\.hash))
        for (earlier, later) in zip(video, video.dropFirst()) { #expect(earlier.decode < later.decode) }
        for (earlier, later) in zip(received.all.audio, received.all.audio.dropFirst()) {
            #expect(earlier.decode < later.decode)
        }
        // Composition offsets and the distance of sound and pictures are the encoder's own.
        let shift = video[second].decode - (sent.first?.decode ?? 0)
        for (got, made) in zip(video[second...], sent) { #expect(got.presentation == made.presentation + shift) }
        let sound = try await StreamPackets(file: source.path).all.audio
        let marker = try #require(sound.first).hash
        let soundStart = try #require(received.all.audio.last { $0.hash == marker })
        #expect(soundStart.decode - (sound.first?.decode ?? 0) == shift)
    }

    /// One discontinuity where the runs meet, and numbers that only grow.
    private func expectOneDiscontinuity(_ stream: String, on origin: OriginProcess, after before: MediaPlaylistText)
        async throws
    {
        let ended = try await origin.endedPlaylist(stream)
        #expect(ended.mediaSequence >= before.mediaSequence && ended.nextSequence > before.nextSequence)
        let marks = ended.segments.count(where: \.isDiscontinuity)
        #expect(marks + ended.discontinuitySequence == 1, "\(ended.text)")
        // What was listed before and is still listed has kept its number.
        for (index, segment) in before.segments.enumerated() {
            let place = before.mediaSequence + index - ended.mediaSequence
            if ended.segments.indices.contains(place) { #expect(ended.segments[place].name == segment.name) }
        }
    }
}

import Media
import NIOCore
import Testing

@testable import HLS

@Suite struct PlaylistSnapshotTests {
    /// Feeds units and checks every playlist on the way, on its own and against the one before.
    private struct Broadcast {
        var stream: SegmentedStream
        var playlists: [PlaylistChecker] = []
        var wall: Int64 = 1_700_000_000_000

        mutating func send(_ units: [AccessUnit]) throws {
            guard let first = units.first else { return }
            for unit in units {
                let now = wall + (unit.decodeTime - first.decodeTime).milliseconds
                try check(stream.append(unit, now: now))
            }
            wall += 60_000
        }

        mutating func check(_ snapshot: PlaylistSnapshot?) throws {
            guard let snapshot else { return }
            let playlist = try PlaylistChecker(snapshot.mediaPlaylist())
            if let last = playlists.last { try playlist.checkReplaces(last) }
            for name in playlist.entries.map(\.uri) + playlist.entries.compactMap(\.map) + playlist.parts {
                #expect(MediaFileName(name).flatMap(snapshot.file) != nil)
            }
            playlists.append(playlist)
        }
    }

    @Test("Every playlist of a long publication with breaks is valid")
    func everyPlaylistOfALongAndTroubledLifeIsValid() throws {
        let tracks = try SyntheticStream.tracks()
        var broadcast = Broadcast(
            stream: SegmentedStream(configuration: SegmenterConfiguration(window: 4)))
        try broadcast.stream.setTracks(tracks)
        try broadcast.send(SyntheticStream.both(0..<30_000))
        try broadcast.check(broadcast.stream.discontinuity(now: broadcast.wall))
        try broadcast.send(SyntheticStream.both(0..<15_000, gop: 3_000))
        try broadcast.stream.setTracks(TrackSet(audio: tracks.audio))
        try broadcast.send(SyntheticStream.sound(15_000..<24_000))
        let modern = try SyntheticStream.file("av1-opus.units")
        try broadcast.stream.setTracks(modern.tracks)
        try broadcast.send(modern.units)
        try broadcast.check(broadcast.stream.discontinuity(now: broadcast.wall))
        try broadcast.stream.setTracks(tracks)
        try broadcast.send(SyntheticStream.both(0..<30_000, gop: 5_000))
        try broadcast.check(broadcast.stream.end(now: broadcast.wall))

        let last = try #require(broadcast.playlists.last)
        #expect(last.isEnded)
        #expect(broadcast.playlists.dropLast().allSatisfy { !$0.isEnded })
        // The target is the first segment's, so the longer GOPs at the end are cut.
        #expect(broadcast.playlists.allSatisfy { $0.target == 2 })
        #expect(last.version == 9)
        #expect(last.discontinuitySequence == 4)
        #expect(broadcast.stream.segmenter.plan.next == .init(media: 50, discontinuity: 4))
    }

    @Test("There is no playlist before the first segment is finished")
    func saysNothingBeforeTheFirstSegmentIsFinished() throws {
        var stream = SegmentedStream()
        try stream.setTracks(try SyntheticStream.tracks())
        for unit in SyntheticStream.both(0..<2_000) {
            #expect(stream.append(unit, now: 0) == nil)
        }
        #expect(stream.snapshot == nil)
        #expect(stream.append(SyntheticStream.video(2_000, key: true), now: 0) != nil)
    }

    @Test("A stream without a segment ends without a playlist")
    func aStreamWithoutASegmentEndsWithoutAPlaylist() throws {
        var stream = SegmentedStream()
        #expect(stream.end(now: 0) == nil)
        #expect(stream.snapshot == nil)
    }

    @Test("Another publication does not go back in sequence")
    func anotherLifeDoesNotGoBack() throws {
        let tracks = try SyntheticStream.tracks()
        var first = Broadcast(stream: SegmentedStream(configuration: SegmenterConfiguration(window: 3)))
        try first.stream.setTracks(tracks)
        try first.send(SyntheticStream.both(0..<9_000))
        _ = first.stream.end(now: 0)
        let plan = first.stream.segmenter.plan
        #expect(plan.next == .init(media: 5, discontinuity: 0))
        #expect(plan.join())
        plan.reserved(first: 1_000)
        // What a player sees that has polled through a restart.
        var second = Broadcast(
            stream: SegmentedStream(
                configuration: SegmenterConfiguration(window: 3),
                plan: plan, above: 4))
        second.playlists = first.playlists
        try second.stream.setTracks(tracks)
        try second.send(SyntheticStream.both(0..<9_000))
        let playlist = try #require(second.playlists.last)
        #expect(playlist.sequence == 6)
        #expect(playlist.discontinuitySequence == 1)
    }

    @Test("A snapshot tells its segments, dates and codecs")
    func aSnapshotDescribesItself() throws {
        let file = try SyntheticStream.file("avc-aac.units")
        var stream = SegmentedStream()
        try stream.setTracks(file.tracks)
        for unit in file.units { _ = stream.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds) }
        let ended = stream.end(now: 1_700_000_010_000)
        let snapshot = try #require(ended)
        #expect(snapshot.isEnded)
        #expect(
            snapshot.listed.map { PlaylistText.seconds($0.duration) }.prefix(4)
                == .init(repeating: "2.000000", count: 4))
        #expect(snapshot.listed.map(\.videoFrames) == [50, 50, 50, 50, 5])
        let rendition = snapshot.rendition(uri: "chunklist.m3u8")
        #expect(rendition.codecs == ["avc1.64000b", "mp4a.40.2"])
        #expect(rendition.resolution == Resolution(width: 160, height: 90))
        #expect(rendition.frameRate == 25)
        let average = try #require(rendition.averageBandwidth)
        #expect(rendition.peakBandwidth >= average && average > 50_000)
        let segment = try #require(snapshot.listed.first)
        let found = try #require(snapshot.file(.segment(0, .fragmentedMP4)))
        #expect(found.bytes == segment.bytes && found.contentType == "video/mp4")
        #expect(found.entityTag == segment.entityTag)
        #expect(segment.entityTag == "\"0-18bcfe56be8-\(String(segment.bytes.readableBytes, radix: 16))\"")
        #expect(snapshot.file(.segment(5, .fragmentedMP4)) == nil)
        #expect(snapshot.file(.segment(0, .transportStream)) == nil)
    }
}

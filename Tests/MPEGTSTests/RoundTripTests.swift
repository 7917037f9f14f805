import Media
import NIOCore
import Testing

@testable import MPEGTS

@Suite struct RoundTripTests {
    private func shifted(_ unit: AccessUnit, by offset: MediaTime = TransportStreamMuxer.defaultTimestampOffset)
        -> AccessUnit
    {
        var unit = unit
        unit.decodeTime = MediaTime(ticks: (unit.decodeTime + offset).ticks(timescale: 90_000), timescale: 90_000)
        return unit
    }

    /// Sound inside a PES packet is timed by its samples: up to 2 ms from where the publisher put it.
    private func expectSameSound(_ found: [AccessUnit], _ sent: [AccessUnit]) {
        #expect(found.map(\.payload) == sent.map(\.payload))
        for (found, sent) in zip(found, sent) {
            let distance = found.decodeTime - sent.decodeTime
            #expect(distance <= MediaTime(milliseconds: 2) && distance >= MediaTime(milliseconds: -2))
        }
    }

    @Test("What a publisher sent comes back unchanged", arguments: [1, 187, 188, 189, 1000, Int.max])
    func whatAPublisherSentComesBack(pieces: Int) throws {
        let source = try FLVFile("bframes.flv")
        var muxer = try TransportStreamMuxer(tracks: source.tracks)
        let found = Found(try muxer.segment(source.units), pieces: pieces)
        #expect(found.statistics == TransportStreamDemuxer.Statistics())
        #expect(found.tracks == [[.video(.avc), .audio(.aac)]])
        let video = source.units.filter { $0.codec.isVideo }
        #expect(video.contains { $0.compositionOffset > MediaTime(milliseconds: 80) })
        #expect(found.video == video.map { shifted($0) })
        expectSameSound(found.audio, source.units.filter { !$0.codec.isVideo }.map { shifted($0) })
        guard case .avc(let sent) = source.tracks.video, case .aac(let sentAudio) = source.tracks.audio else {
            Issue.record("the fixture's tracks")
            return
        }
        for configuration in found.configurations {
            switch configuration {
            case .avc(let value):
                #expect(value.sequenceParameterSets == sent.sequenceParameterSets)
                #expect(value.pictureParameterSets == sent.pictureParameterSets)
            case .aac(let value):
                #expect(value.sampleRate == sentAudio.sampleRate)
                #expect(value.channelConfiguration == sentAudio.channelConfiguration)
            default: Issue.record("\(configuration)")
            }
        }
        #expect(found.configurations.count == 2)
    }

    @Test("ffmpeg's transport stream holds the same access units")
    func ffmpegsMultiplexHoldsTheSameUnits() throws {
        // bframes.ts is ffmpeg's own copy of bframes.flv, which begins at 1.4 s + 40 ms reordering.
        let source = try FLVFile("bframes.flv")
        let found = Found(try Fixture.load("bframes.ts"))
        #expect(found.statistics == TransportStreamDemuxer.Statistics())
        let start = try #require(found.video.first).decodeTime
        #expect(found.video == source.units.filter { $0.codec.isVideo }.map { shifted($0, by: start) })
        expectSameSound(
            found.audio, source.units.filter { !$0.codec.isVideo }.map { shifted($0, by: start) })
    }

    @Test(
        "Other codecs survive a round trip",
        arguments: [
            ("hevc-mp3.ts", [Codec.video(.hevc), .audio(.mp3)], 25, "hvc1.1.6.L30.90", "mp4a.40.34"),
            ("slow-opus.ts", [.video(.avc), .audio(.opus)], 6, "avc1.64000a", "opus"),
        ])
    func otherCodecsSurviveARoundTrip(
        fixture: String, codecs: [Codec], pictures: Int, video: String, audio: String
    ) throws {
        let first = Found(try Fixture.load(fixture))
        #expect(first.statistics == TransportStreamDemuxer.Statistics())
        #expect(first.tracks == [codecs])
        #expect(first.video.count == pictures)
        #expect(first.audio.count > 30)
        #expect(Set(first.configurations.map(\.codecString)) == [video, audio])
        #expect(first.configurations.compactMap(\.resolution) == [Resolution(width: 160, height: 90)])
        var tracks = TrackSet()
        for configuration in first.configurations {
            if configuration.codec.isVideo {
                tracks.video = configuration
            } else {
                tracks.audio = configuration
            }
        }
        var muxer = try TransportStreamMuxer(tracks: tracks, timestampOffset: .zero)
        let second = Found(try muxer.segment(first.units))
        #expect(second.statistics == TransportStreamDemuxer.Statistics())
        #expect(second.tracks == first.tracks)
        #expect(Set(second.configurations) == Set(first.configurations))
        #expect(second.video == first.video)
        expectSameSound(second.audio, first.audio)
    }

    @Test("Video and audio units of every size come back")
    func everySizeOfPictureAndSoundComesBack() throws {
        var muxer = try TransportStreamMuxer(tracks: TrackSet(video: Sample.video(), audio: Sample.audio()))
        let units = (1...400).flatMap { size in
            [
                Sample.picture(Int64(size) * 21, isKeyframe: size % 10 == 1, size: size),
                Sample.sound(Int64(size), size: size),
            ]
        }
        let found = Found(try muxer.segment(units))
        #expect(found.statistics == TransportStreamDemuxer.Statistics())
        #expect(found.video == units.filter { $0.codec.isVideo }.map { shifted($0) })
        expectSameSound(found.audio, units.filter { !$0.codec.isVideo }.map { shifted($0) })
    }

    @Test(
        "Times go on when timestamps wrap",
        arguments: [
            MediaTime(ticks: (1 << 33) - 45_000, timescale: 90_000), MediaTime(ticks: -45_000, timescale: 90_000),
            MediaTime(ticks: 5 << 33 - 45_000, timescale: 90_000),
        ])
    func timesGoOnOverTheWrap(start: MediaTime) throws {
        var muxer = try TransportStreamMuxer(
            tracks: TrackSet(video: Sample.video(), audio: Sample.audio()), timestampOffset: start)
        let units = (0..<50).flatMap { [Sample.picture(Int64($0) * 20, isKeyframe: $0 == 0), Sample.sound(Int64($0))] }
        let found = Found(try muxer.segment(units))
        let first = try #require(found.video.first).decodeTime
        #expect(first.ticks(timescale: 90_000) == (1 << 33) - 45_000)
        #expect(found.video.map(\.decodeTime) == (0..<50).map { first + MediaTime(milliseconds: $0 * 20) })
        expectSameSound(found.audio, (0..<50).map { shifted(Sample.sound($0), by: first) })
    }

    @Test("Segments can be read alone")
    func segmentsCanBeReadAlone() throws {
        let source = try FLVFile("bframes.flv")
        var muxer = try TransportStreamMuxer(tracks: source.tracks)
        var segments: [[AccessUnit]] = [[]]
        for unit in source.units {
            if unit.codec.isVideo, unit.isKeyframe, !segments[segments.count - 1].isEmpty {
                segments.append([])
            }
            segments[segments.count - 1].append(unit)
        }
        #expect(segments.count == 3)
        for units in segments {
            let found = Found(try muxer.segment(units))
            #expect(found.video == units.filter { $0.codec.isVideo }.map { shifted($0) })
            #expect(found.audio.count == units.filter { !$0.codec.isVideo }.count)
        }
    }
}

import Media
import NIOCore
import Testing

@testable import HLS

@Suite struct SegmenterDiscontinuityTests {
    private func segmenter(first: Int64 = 0) throws -> Segmenter {
        var segmenter = Segmenter(first: first)
        try segmenter.setTracks(try SyntheticStream.tracks())
        return segmenter
    }

    /// The same tracks with another picture size in the sequence parameter set's bytes: another configuration.
    private func otherTracks() throws -> TrackSet {
        var tracks = try SyntheticStream.tracks()
        guard case .avc(var configuration)? = tracks.video else { return tracks }
        configuration.record.writeInteger(UInt8(0))
        tracks.video = .avc(configuration)
        return tracks
    }

    @Test("A jump in time opens a discontinuity", arguments: [7_000, -90_000, 4_000_000_000])
    func jumpsOpenADiscontinuity(by jump: Int64) throws {
        var segmenter = try segmenter()
        var segments = segmenter.append(SyntheticStream.both(0..<3_000))
        segments += [segmenter.discontinuity()].compactMap(\.self)
        segments += segmenter.append(SyntheticStream.both(3_000 + jump..<5_100 + jump))
        #expect(segments.map(\.summary) == ["0:2000", "1:1000", "2:2000!"])
    }

    @Test("After a jump the next segment waits for a keyframe")
    func waitsForAKeyframeAfterAJump() throws {
        var segmenter = try segmenter()
        var segments = segmenter.append(SyntheticStream.both(0..<1_000))
        segments += [segmenter.discontinuity()].compactMap(\.self)
        segments += segmenter.append([SyntheticStream.video(90_000), SyntheticStream.audio(90_000)])
        segments += segmenter.append(SyntheticStream.both(90_040..<92_100))
        #expect(segments.map(\.summary) == ["0:1000", "1:2000!"])
        #expect(segmenter.discardedUnits == 2)
    }

    @Test("A small step back stays in its segment")
    func aSmallStepBackStaysInItsSegment() throws {
        var segmenter = try segmenter()
        let units = SyntheticStream.pictures(0..<1_000) + SyntheticStream.pictures(600..<3_000).dropFirst()
        #expect(segmenter.append(units).map(\.summary) == ["0:2600"])
    }

    @Test("Another publisher opens a discontinuity")
    func anotherPublisherOpensADiscontinuity() throws {
        var segmenter = try segmenter()
        #expect(segmenter.append(SyntheticStream.both(0..<900)).isEmpty)
        #expect(segmenter.discontinuity()?.summary == "0:920")
        #expect(segmenter.discontinuity() == nil)
        #expect(segmenter.append(SyntheticStream.both(50_000..<52_100)).map(\.summary) == ["1:2000!"])
    }

    @Test("Nothing published yet needs no discontinuity")
    func nothingPublishedYetNeedsNoDiscontinuity() throws {
        var segmenter = try segmenter()
        #expect(segmenter.discontinuity() == nil)
        #expect(segmenter.append(SyntheticStream.both(0..<2_100)).map(\.summary) == ["0:2000"])
    }

    @Test("Another configuration takes effect at the next keyframe")
    func anotherConfigurationTakesEffectAtTheNextKeyframe() throws {
        var segmenter = try segmenter()
        var segments = segmenter.append(SyntheticStream.both(0..<2_500))
        let other = try otherTracks()
        try segmenter.setTracks(other)
        // Neither picture can be decoded with the old configuration; the sound goes on.
        segments += segmenter.append([
            SyntheticStream.video(2_520), SyntheticStream.audio(2_520), SyntheticStream.video(2_560),
        ])
        segments += segmenter.append(SyntheticStream.both(2_600..<4_700))
        #expect(segments.map(\.summary) == ["0:2000", "1:600", "2:2000!"])
        #expect(segments.map { $0.tracks == other } == [false, false, true])
        #expect(segmenter.discardedUnits == 2)
    }

    @Test("Going back to the former configuration before a keyframe changes nothing")
    func goingBackBeforeTheKeyframeChangesNothing() throws {
        var segmenter = try segmenter()
        var segments = segmenter.append(SyntheticStream.both(0..<1_000))
        try segmenter.setTracks(try otherTracks())
        try segmenter.setTracks(try SyntheticStream.tracks())
        segments += segmenter.append(SyntheticStream.both(1_000..<3_100))
        #expect(segments.map(\.summary) == ["0:3000"])
    }

    @Test("A track that joins right at the start costs no segment")
    func aTrackThatJoinsRightAtTheStartCostsNoSegment() throws {
        let tracks = try SyntheticStream.tracks()
        var segmenter = Segmenter()
        try segmenter.setTracks(TrackSet(audio: tracks.audio))
        #expect(segmenter.append(SyntheticStream.sound(0..<100)).isEmpty)
        try segmenter.setTracks(tracks)
        let segments = segmenter.append(SyntheticStream.both(100..<2_200))
        #expect(segments.map(\.summary) == ["0:2000"])
    }

    @Test("Video that ends leaves audio alone")
    func picturesThatEndLeaveSoundAlone() throws {
        let tracks = try SyntheticStream.tracks()
        var segmenter = try segmenter()
        var segments = segmenter.append(SyntheticStream.both(0..<2_600))
        try segmenter.setTracks(TrackSet(audio: tracks.audio))
        segments += segmenter.append(SyntheticStream.sound(2_600..<4_700))
        #expect(segments.map(\.summary) == ["0:2000", "1:600", "2:2000!"])
        #expect(segments.last?.tracks.video == nil)
    }

    @Test("Another publication goes on counting, with a discontinuity")
    func anotherLifeGoesOnCountingWithADiscontinuity() throws {
        var segmenter = try segmenter(first: 41)
        #expect(segmenter.plan.next?.media == 41)
        #expect(segmenter.append(SyntheticStream.both(0..<4_100)).map(\.summary) == ["41:2000!", "42:2000"])
        #expect(segmenter.plan.next?.media == 44)
    }

    @Test("Other codecs have another initialization")
    func otherCodecs() throws {
        let modern = try SyntheticStream.file("av1-opus.units")
        var segmenter = Segmenter()
        try segmenter.setTracks(modern.tracks)
        var segments = segmenter.append(modern.units)
        segments.append(contentsOf: [segmenter.discontinuity()].compactMap(\.self))
        #expect(segments.map(\.initialization.name) == [.initialization(0), .initialization(0)])
        try segmenter.setTracks(try SyntheticStream.tracks())
        let classic = segmenter.append(SyntheticStream.both(100_000..<102_100))
        #expect(classic.map(\.sequence) == [2])
        #expect(classic.map(\.initialization.name) == [.initialization(2)])
        #expect(classic.map(\.isDiscontinuity) == [true])
    }

    @Test("The initialization is kept over a discontinuity")
    func theInitializationIsKeptOverADiscontinuity() throws {
        let modern = try SyntheticStream.file("av1-opus.units")
        var segmenter = Segmenter()
        try segmenter.setTracks(modern.tracks)
        _ = segmenter.append(modern.units)
        _ = segmenter.discontinuity()
        _ = segmenter.append(modern.units)
        let last = segmenter.end()
        #expect(last?.initialization.name == .initialization(0))
    }
}

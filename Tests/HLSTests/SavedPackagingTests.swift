import Foundation
import Media
import NIOCore
import Testing

@testable import HLS

/// A publication that one process begins and another goes on with.
@Suite struct SavedPackagingTests {
    private static let start: Int64 = 1_700_000_000_000

    /// What the first process had, and what it leaves.
    private struct Left {
        var snapshot: PlaylistSnapshot
        var saved: SavedPackaging
        var plan: ProgramPlan.Saved
        var blobs: ByteBuffer
    }

    /// - Parameters:
    ///   - end: of what was published, in milliseconds; it is not at a cut.
    ///   - source: has another audio track besides the default ones.
    private func leave(
        after end: Int64 = 9_500, window: Int = 3, source: AlternativeTrackTests = AlternativeTrackTests()
    ) throws -> Left {
        let plan = ProgramPlan(numbers: SequenceNumbers(first: 40))
        _ = plan.join()
        plan.reserved(first: 40)
        var stream = SegmentedStream(configuration: SegmenterConfiguration(window: window), plan: plan)
        try stream.setTracks(try source.tracks())
        for unit in source.units(0..<end) {
            _ = stream.append(unit, now: Self.start + unit.decodeTime.milliseconds)
        }
        let last = stream.discontinuity(now: Self.start + end)
        let snapshot = try #require(last)
        var pieces: [ByteBuffer] = []
        let saved = SavedPackaging(snapshot, segmenter: stream.segmenter.saved, blobs: &pieces)
        var blobs = ByteBuffer()
        for piece in pieces { blobs.writeImmutableBuffer(piece) }
        return Left(
            snapshot: snapshot, saved: try copy(saved), plan: try copy(try #require(plan.saved)), blobs: blobs)
    }

    /// As it comes out of a file.
    private func copy<Value: Codable>(_ value: Value) throws -> Value {
        try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value))
    }

    @Test("The playlist and all it names are to the byte what they were, in every form")
    func theSame() throws {
        let left = try leave()
        var blobs = left.blobs
        let plan = ProgramPlan(continuing: left.plan, block: 1_000)
        let configuration = SegmenterConfiguration(window: 3)
        let window = try left.saved.window(configuration: configuration, blobs: &blobs, storage: CountedStorage())
        #expect(blobs.readableBytes == 0)
        let segmenter = try #require(
            left.saved.segmenter(configuration: configuration, plan: plan, storage: CountedStorage()))
        let snapshot = try #require(window.snapshot(open: segmenter.openSegment))
        let other = AlternativeTrackTests().second
        let forms: [PlaylistForm] = [
            .fragmentedMP4, .delta, .transportStream, .dash, .track(.video), .track(.audio), .track(other),
            .trackDelta(other),
        ]
        for form in forms {
            #expect(String(buffer: snapshot.mediaPlaylist(form)) == String(buffer: left.snapshot.mediaPlaylist(form)))
        }
        #expect(snapshot.rendition(uri: "x") == left.snapshot.rendition(uri: "x"))
        var names: [MediaFileName] = [snapshot.listed[0].initialization.name, .trackInitialization(other, 40)]
        for segment in left.snapshot.retained + left.snapshot.listed {
            names += [.segment(segment.sequence, .fragmentedMP4), .trackSegment(.audio, segment.sequence)]
            names += [.trackSegment(other, segment.sequence)]
            names += segment.parts.map(\.name)
        }
        #expect(names.count > 30 && !left.snapshot.retained.isEmpty)
        for name in names {
            let (now, before) = (try #require(snapshot.file(name)), try #require(left.snapshot.file(name)))
            #expect(now.bytes == before.bytes && now.entityTag == before.entityTag, "\(name)")
        }
        var renditions = (TransportStreamRendition(), TransportStreamRendition())
        for (now, before) in zip(snapshot.listed, left.snapshot.listed) {
            let (one, other) = (renditions.0.bytes(of: now), renditions.1.bytes(of: before))
            #expect(one != nil && one == other)
        }
    }

    @Test("The next segment has the next number and the next part's, a discontinuity, and the same durations as before")
    func goesOn() throws {
        let left = try leave()
        var blobs = left.blobs
        let plan = ProgramPlan(continuing: left.plan, block: 1_000)
        plan.rejoin()
        // Another process, another window of the encoder's clock: it begins anew at 0.
        let configuration = SegmenterConfiguration(window: 3)
        var window = try left.saved.window(configuration: configuration, blobs: &blobs, storage: CountedStorage())
        var segmenter = try #require(
            left.saved.segmenter(configuration: configuration, plan: plan, storage: CountedStorage()))
        try segmenter.setTracks(try SyntheticStream.tracks())
        let last = try #require(left.snapshot.listed.last)
        let hint = try #require(left.snapshot.open?.hint)
        #expect(segmenter.openSegment?.hint == hint)
        for segment in segmenter.append(SyntheticStream.both(0..<8_000), start: Self.start + 12_000) {
            window.append(segment)
        }
        let snapshot = try #require(window.snapshot(open: segmenter.openSegment))
        let next = try #require(snapshot.segment(last.sequence + 1))
        #expect(next.isDiscontinuity && next.startsWithKeyframe)
        #expect(next.discontinuitySequence == last.discontinuitySequence + (last.isDiscontinuity ? 1 : 0))
        #expect(next.parts.first?.name == hint)
        #expect(next.programDateTime == Self.start + 12_000)
        #expect(next.targetDuration == last.targetDuration && next.partTarget == last.partTarget)
        #expect(snapshot.listed.map(\.sequence) == [last.sequence + 1, last.sequence + 2, last.sequence + 3])
        #expect(snapshot.listed.map(\.isDiscontinuity) == [true, false, false])
        // The segment that was cut off is there all the same.
        #expect(last.duration == MediaTime(milliseconds: 1_520))
        #expect(snapshot.segment(last.sequence) != nil)
    }

    @Test("A publication is not gone on with when segments or parts are to be of another length")
    func anotherConfiguration() throws {
        let left = try leave()
        let plan = ProgramPlan(continuing: left.plan, block: 1_000)
        for configuration in [
            SegmenterConfiguration(segmentDuration: MediaTime(milliseconds: 4_000)),
            SegmenterConfiguration(partDuration: MediaTime(milliseconds: 300)),
        ] {
            let segmenter = left.saved.segmenter(configuration: configuration, plan: plan, storage: CountedStorage())
            #expect(segmenter == nil)
        }
        // How many are listed is no part of it.
        let other = SegmenterConfiguration(window: 20)
        #expect(left.saved.segmenter(configuration: other, plan: plan, storage: CountedStorage()) != nil)
    }

    @Test("Without a finished segment there is nothing to go on with")
    func tooShort() throws {
        var segmenter = Segmenter(first: 0)
        try segmenter.setTracks(try SyntheticStream.tracks())
        #expect(segmenter.saved == nil)
        _ = segmenter.append(SyntheticStream.both(0..<500))
        #expect(segmenter.saved == nil)
        let segment = segmenter.discontinuity()
        #expect(segment != nil)
        #expect(segmenter.saved != nil)
        _ = segmenter.end()
        #expect(segmenter.saved == nil)
    }

    @Test("What does not belong together is refused, and is no crash")
    func contradictions() throws {
        let left = try leave()
        let text = String(decoding: try JSONEncoder().encode(left.saved), as: UTF8.self)
        let wrong: [(String, String)] = [
            (#""initialization":0"#, #""initialization":7"#), (#""tracks":0"#, #""tracks":-1"#),
            (#""media":41"#, #""media":43"#), (#""videoLength":"#, #""videoLength":9"#),
            (#""targetDuration":2"#, #""targetDuration":0"#), (#""indexLength":"#, #""indexLength":1"#),
            (#""length":"#, #""length":-"#),
        ]
        for (old, new) in wrong {
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(changed != text, "\(old)")
            let saved = try JSONDecoder().decode(SavedPackaging.self, from: Data(changed.utf8))
            var blobs = left.blobs
            #expect(throws: SavedPackagingError.self, "\(old)") {
                try saved.window(configuration: SegmenterConfiguration(), blobs: &blobs, storage: CountedStorage())
            }
        }
        // Cut off anywhere.
        for length in stride(from: 0, to: left.blobs.readableBytes, by: 997) {
            var blobs = try #require(left.blobs.getSlice(at: 0, length: length))
            #expect(throws: SavedPackagingError.self) {
                try left.saved.window(configuration: SegmenterConfiguration(), blobs: &blobs, storage: CountedStorage())
            }
        }
    }
}

import Media
import NIOCore
import TestSupport
import Testing

@testable import HLS

@Suite struct PartTests {
    /// Frames at the times that whole milliseconds leave of a frame rate, and audio.
    private func units(rate: Double, seconds: Double, gop: Int) -> [AccessUnit] {
        let frames = (0..<Int(rate * seconds)).map { frame in
            SyntheticStream.video(Int64((Double(frame) * 1_000 / rate).rounded()), key: frame % gop == 0)
        }
        let audio = (0..<Int(seconds * 1_000 / 21.333)).map {
            SyntheticStream.audio(Int64((Double($0) * 21.333).rounded()))
        }
        return (frames + audio).sorted { $0.decodeTime < $1.decodeTime }
    }

    private func segmenter(_ configuration: SegmenterConfiguration = SegmenterConfiguration()) throws -> Segmenter {
        var segmenter = Segmenter(configuration)
        try segmenter.setTracks(try SyntheticStream.tracks())
        return segmenter
    }

    @Test(
        "Parts are of one length, at most the target and at least 85 % of it, at every frame rate",
        arguments: [23.976, 24, 25, 29.97, 30, 50, 59.94, 60, 15, 12, 10, 7.5, 5])
    func lengths(rate: Double) throws {
        var segmenter = try segmenter()
        let gop = Int((rate * 2).rounded())
        let segments = segmenter.append(units(rate: rate, seconds: 21, gop: gop))
        #expect(segments.count >= 9)
        let target = try #require(segmenter.partTarget)
        for segment in segments.dropFirst() {
            #expect(!segment.parts.isEmpty)
            for (index, part) in segment.parts.enumerated() {
                #expect(part.duration <= target)
                let isLast = index == segment.parts.count - 1
                #expect(
                    isLast || part.duration.seconds >= target.seconds * 0.85, "\(index): \(part.duration) of \(target)")
            }
            let sum = segment.parts.reduce(MediaTime.zero) { $0 + $1.duration }
            #expect(abs((sum - segment.duration).milliseconds) <= 2)
            #expect(segment.parts.map(\.isIndependent) == segment.parts.indices.map { $0 == 0 })
        }
    }

    @Test("Where video joins audio, parts are as long as its frames from the first segment on")
    func videoJoins() throws {
        var segmenter = Segmenter()
        let both = try SyntheticStream.tracks()
        try segmenter.setTracks(TrackSet(audio: both.audio))
        let units = units(rate: 25, seconds: 10, gop: 50)
        let join = MediaTime(milliseconds: 4_000)
        var segments = segmenter.append(units.filter { !$0.codec.isVideo && $0.decodeTime < join })
        try segmenter.setTracks(both)
        segments += segmenter.append(units.filter { $0.decodeTime >= join })
        let joined = segments.filter { $0.tracks.video != nil }
        #expect(segments.count > joined.count && joined.count >= 2)
        for segment in joined {
            let sum = segment.parts.reduce(MediaTime.zero) { $0 + $1.duration }
            #expect(abs((sum - segment.duration).milliseconds) <= 1, "\(sum) of \(segment.duration)")
        }
    }

    @Test("A part is there with its last frame, and the next one is named before")
    func isThereWithItsLastFrame() throws {
        var segmenter = try segmenter()
        _ = segmenter.append(SyntheticStream.pictures(0..<2_000))
        _ = segmenter.append([SyntheticStream.video(2_000, key: true)])
        let first = segmenter.nextPart
        #expect(segmenter.openSegment?.parts.isEmpty == true)
        // 25 frames a second: five frames to a part. The fifth is the one at 160 ms.
        for time: Int64 in [2_040, 2_080, 2_120] {
            _ = segmenter.append([SyntheticStream.video(time)])
            #expect(segmenter.nextPart == first)
        }
        #expect(segmenter.openSegment?.hint == .part(life: 0, number: first))
        _ = segmenter.append([SyntheticStream.video(2_160)])
        #expect(segmenter.nextPart == first + 1)
        let part = try #require(segmenter.openSegment?.parts.first)
        #expect(part.name == .part(life: 0, number: first))
        #expect(part.duration == MediaTime(milliseconds: 200))
    }

    @Test("The bytes of a segment are those of its parts, and a part's storage is the segment's")
    func bytes() throws {
        var segmenter = try segmenter()
        var open: [Int64: ByteBuffer] = [:]
        for unit in SyntheticStream.both(0..<6_100) {
            let segment = segmenter.append(unit, now: 0)
            for part in segmenter.openSegment?.parts ?? [] {
                guard case .part(_, let number) = part.name else { continue }
                open[number] = part.bytes
            }
            guard let segment, segment.sequence > 0 else { continue }
            #expect(segment.parts.count == 10)
            var joined = ByteBuffer()
            for part in segment.parts {
                joined.writeImmutableBuffer(part.bytes)
                guard case .part(_, let number) = part.name else { continue }
                #expect(open[number] == part.bytes)
            }
            #expect(joined == segment.bytes)
        }
    }

    @Test("Names of parts go on over segments and over a discontinuity, so that a hint never misses")
    func numbers() throws {
        var segmenter = Segmenter(first: 41)
        try segmenter.setTracks(try SyntheticStream.tracks())
        var names: [MediaFileName] = []
        func note(_ segments: [Segment]) { names += segments.flatMap(\.parts).map(\.name) }
        note(segmenter.append(SyntheticStream.both(0..<4_600)))
        note([segmenter.discontinuity()].compactMap(\.self))
        note(segmenter.append(SyntheticStream.both(90_000..<94_100)))
        let numbers = names.map { name -> Int64 in
            guard case .part(life: 41, let number) = name else { return -1 }
            return number
        }
        #expect(numbers == Array(0..<Int64(numbers.count)))
        // The break leaves audio that came after the last frame, and it goes out as a part of its own.
        #expect(numbers.count == 20 + 3 + 1 + 20)
    }

    @Test("Frames that are missing make no part longer than the target")
    func gaps() throws {
        var segmenter = try segmenter()
        let units = SyntheticStream.pictures(0..<8_000).filter { !(4_440..<5_200).contains($0.decodeTime.milliseconds) }
        let segments = segmenter.append(units)
        let target = try #require(segmenter.partTarget)
        #expect(segments.map(\.summary) == ["0:2000", "1:2000", "2:2000"])
        #expect(segments.dropFirst().allSatisfy { $0.parts.allSatisfy { $0.duration <= target } && !$0.parts.isEmpty })
    }

    @Test("While video stays away audio goes out in parts, a second late")
    func audioAlone() throws {
        var segmenter = try segmenter()
        _ = segmenter.append(SyntheticStream.both(0..<4_400))
        let before = segmenter.nextPart
        _ = segmenter.append(SyntheticStream.sound(4_400..<5_640))
        // A part as soon as the audio is a part and a second past the last one.
        #expect(segmenter.nextPart == before + 1)
        let target = try #require(segmenter.partTarget)
        #expect(segmenter.openSegment?.parts.allSatisfy { $0.duration <= target } == true)
    }

    @Test("A longer GOP than the first one's does not change the target duration")
    func targetDuration() throws {
        var segmenter = try segmenter()
        var segments = segmenter.append(SyntheticStream.both(0..<4_000))
        segments += segmenter.append(SyntheticStream.both(4_000..<13_900, gop: 5_000))
        #expect(segments.allSatisfy { $0.targetDuration == 2 })
        #expect(segments.map(\.summary) == ["0:2000", "1:2000", "2:2480", "3:2480~", "4:40~", "5:2480"])
    }

    @Test(
        "Every access unit from the first keyframe on is in one segment, in its order, whatever gaps and interleaving there are"
    )
    func nothingIsLost() throws {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<200 {
            var segmenter = try segmenter()
            // A file that is sent again and again: audio ends a little later or earlier than video, and is sent ahead or behind.
            let length: Int64 = 4_000
            let gap = Int64.random(in: 0...120, using: &random)
            let lead = Int64.random(in: -300...300, using: &random)
            var units: [(order: Int64, unit: AccessUnit)] = []
            for round in Int64(0)..<3 {
                let start = round * (length + gap)
                for time in stride(from: Int64(0), to: length, by: 40) {
                    units.append(
                        (
                            start + time,
                            SyntheticStream.video(start + time, key: time % 1_000 == 0, size: 8 + Int(time / 40))
                        ))
                }
                for frame in 0..<(length + gap) * 1_000 / 23_220 {
                    let time = start + frame * 23_220 / 1_000
                    units.append((time - lead, SyntheticStream.audio(time)))
                }
            }
            let sent = units.sorted { $0.order < $1.order }.map(\.unit)
            var segments: [Segment] = []
            for unit in sent {
                segments += [segmenter.append(unit, now: unit.decodeTime.milliseconds)].compactMap(\.self)
            }
            segments += [segmenter.end()].compactMap(\.self)
            let first = try #require(sent.firstIndex { $0.codec.isVideo })
            let expected = sent[first...]
            let got = segments.flatMap(\.accessUnits)
            for isVideo in [true, false] {
                #expect(
                    got.filter { $0.codec.isVideo == isVideo }.map(\.decodeTime)
                        == expected.filter { $0.codec.isVideo == isVideo }.map(\.decodeTime), "gap \(gap), lead \(lead)"
                )
            }
            #expect(got.filter(\.codec.isVideo).map(\.payload) == expected.filter(\.codec.isVideo).map(\.payload))
            #expect(segmenter.discardedUnits == Int64(first))
        }
    }

    @Test("Names of files are read as they are written, and nothing else is one")
    func names() {
        for name in [
            MediaFileName.segment(0, .fragmentedMP4), .segment(.max, .transportStream), .initialization(17),
            .part(life: 3, number: 0), .trackSegment(.video, 4), .trackSegment(.audio, .max),
            .trackInitialization(.video, 0), .trackInitialization(.audio, 9),
        ] {
            #expect(MediaFileName(name.description) == name)
        }
        for text in [
            "", "media_.ts", "media_-1.ts", "media_01.ts", "media_1.mp4", "media_1_2.ts", "init_1.m4s", "part_1.m4s",
            "part_1_2_3.m4s", "part__2.m4s", "part_1_.m4s", "part_1_2.ts", "media_9223372036854775808.ts", "media_1.tS",
            "../media_1.ts", "media_1.ts/", "media_١.ts", "data_1.m4s", "video_1.mp4", "init_video_1.m4s",
            "video_1_2.m4s",
        ] {
            #expect(MediaFileName(text) == nil, "\(text)")
        }
    }

    // MARK: What players ask for

    private func directives(_ query: [(String, String)]) -> PlaylistDirectives {
        var directives = PlaylistDirectives()
        for (name, value) in query { #expect(directives.take(name, value) == nil) }
        return directives
    }

    private func snapshot(isEnded: Bool = false) -> PlaylistSnapshot {
        // Segment 8 has three parts, segment 9 two so far.
        PlaylistSnapshot(
            listed: [
                SyntheticStream.segment(7), SyntheticStream.segment(8, parts: (0..<3).map { SyntheticStream.part($0) }),
            ],
            retained: [],
            open: isEnded
                ? nil
                : PlaylistSnapshot.OpenSegment(
                    sequence: 9, life: 0, nextPart: 5, isDiscontinuity: false, initialization: nil, programDateTime: 0,
                    parts: [SyntheticStream.part(3), SyntheticStream.part(4)]),
            isEnded: isEnded)
    }

    @Test(
        "A playlist is ready when it holds what is asked for",
        arguments: [
            (nil, nil, PlaylistReadiness.ready), (3, nil, .ready), (8, nil, .ready), (9, nil, .waits),
            (10, nil, .waits),
            (11, nil, .tooFarAhead), (8, 2, .ready), (7, 50, .ready),
            // A part past a segment's last one is the next segment's first.
            (8, 3, .ready), (9, 1, .ready), (9, 2, .waits), (9, 17, .waits), (9, 18, .tooFarAhead), (10, 0, .waits),
            (10, 16, .tooFarAhead), (11, 0, .tooFarAhead),
        ]) func readiness(sequence: Int?, part: Int?, expected: PlaylistReadiness)
    {
        var query: [(String, String)] = []
        if let sequence { query.append(("_HLS_msn", "\(sequence)")) }
        if let part { query.append(("_HLS_part", "\(part)")) }
        #expect(snapshot().readiness(for: directives(query)) == expected)
        #expect(snapshot(isEnded: true).readiness(for: directives(query)) == .ready)
    }

    @Test("A playlist that has ended lists its last parts, so that a player in the middle of a segment goes on")
    func partsStayAtTheEnd() {
        for form in [PlaylistForm.fragmentedMP4, .delta] {
            let lines = String(buffer: snapshot(isEnded: true).mediaPlaylist(form)).split(separator: "\n")
            #expect(lines.contains("#EXT-X-VERSION:9") && lines.last == "#EXT-X-ENDLIST")
            #expect(lines.count { $0.hasPrefix("#EXT-X-PART:") } == 3)
            #expect(lines.contains { $0.hasPrefix("#EXT-X-PART-INF:") })
            #expect(lines.contains { $0.hasPrefix("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=") })
            #expect(!lines.contains { $0.hasPrefix("#EXT-X-PRELOAD-HINT") })
        }
        let old = String(buffer: snapshot(isEnded: true).mediaPlaylist(.transportStream))
        #expect(old.contains("#EXT-X-VERSION:3\n") && !old.contains("EXT-X-PART") && !old.contains("SERVER-CONTROL"))
    }

    @Test("Directives that are no numbers are named")
    func badDirectives() {
        for (name, value) in [
            ("_HLS_msn", ""), ("_HLS_msn", "-1"), ("_HLS_msn", "1e3"), ("_HLS_part", "x"), ("_HLS_skip", "NO"),
            ("_HLS_msn", "1234567890123456789"),
        ] {
            var directives = PlaylistDirectives()
            #expect(directives.take(name, value) == name)
        }
        #expect(!directives([("_HLS_part", "1")]).isComplete)
        #expect(directives([("_HLS_part", "1"), ("_HLS_msn", "1"), ("other", "x")]).isComplete)
    }
}

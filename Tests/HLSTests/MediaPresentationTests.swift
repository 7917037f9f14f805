import FragmentedMP4
import Media
import NIOCore
import TestSupport
import Testing

@testable import HLS

@Suite struct MediaPresentationTests {
    private func mpd(_ snapshot: PlaylistSnapshot) throws -> MPDFile {
        let text = String(buffer: snapshot.mediaPlaylist(.dash))
        let file = try #require(MPDFile(text))
        #expect(file.problems == [], "\(text)")
        return file
    }

    private func text(_ milliseconds: Int64) -> String {
        "PT\(milliseconds / 1_000)\(milliseconds % 1_000 == 0 ? "" : ".\(milliseconds % 1_000)")S"
    }

    @Test("An MPD lists each track's segments with the times that stand in them, all through a life")
    func timesAreThoseOfTheFiles() throws {
        var stream = SegmentedStream(configuration: SegmenterConfiguration(window: 4))
        let file = try SyntheticStream.file("avc-aac.units")
        try stream.setTracks(file.tracks)
        var last: MPDFile?
        var seen = 0
        func check(_ snapshot: PlaylistSnapshot) throws {
            let mpd = try mpd(snapshot)
            if let last { #expect(last.problems(before: mpd) == []) }
            last = mpd
            seen += 1
            for type in ["video", "audio"] {
                let kind: TrackID = type == "video" ? .video : .audio
                let listed = mpd.segments(type)
                #expect(listed.count == snapshot.listed.count)
                for (entry, segment) in zip(listed, snapshot.listed) {
                    let name = try #require(MediaFileName(entry.name))
                    #expect(name == .trackSegment(kind, segment.sequence))
                    let bytes = try #require(snapshot.file(name)?.bytes)
                    let fragments = try Fragments(bytes)
                    #expect(fragments.tracks == [kind == .video ? 1 : 2])
                    #expect(entry.start == fragments.presentationStart)
                    #expect(entry.duration == fragments.decodeEnd - fragments.decodeStart)
                    let initialization = try #require(MediaFileName(entry.initialization))
                    #expect(snapshot.file(initialization)?.contentType == "\(type)/mp4")
                }
            }
        }
        let times = file.units.filter(\.codec.isVideo).map(\.decodeTime)
        let length = try #require(times.max()) - (try #require(times.min())) + MediaTime(milliseconds: 40)
        for loop in 0..<6 {
            // The same again later.
            let shift = MediaTime(nanoseconds: Int64(loop) * length.nanoseconds)
            for var unit in file.units {
                unit.decodeTime += shift
                if let snapshot = stream.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds) {
                    try check(snapshot)
                }
            }
        }
        #expect(seen >= 6)
        let ended = stream.end(now: 0)
        try check(try #require(ended))
        #expect(last?.isEnded == true)
        #expect(last?.periods.count == 1)
    }

    @Test("Bytes of a track are those of its fragments, joined once and counted for as long as anybody holds them")
    func joinedOnce() throws {
        let counted = Counter()
        let storage = CountedStorage { counted.bytes += $0 }
        var segmenter = Segmenter(plan: ProgramPlan(numbers: SequenceNumbers(first: 0)), storage: storage)
        try segmenter.setTracks(try SyntheticStream.tracks())
        var segments = segmenter.append(SyntheticStream.both(0..<6_100))
        _ = segmenter.end()
        segments = [try #require(segments.last)]
        let before = counted.bytes
        let segment = try #require(segments.first)
        let video = try #require(segment.file(of: .video))
        let audio = try #require(segment.file(of: .audio))
        #expect(counted.bytes == before + video.readableBytes + audio.readableBytes)
        #expect(video.readableBytes + audio.readableBytes == segment.bytes.readableBytes)
        let again = segment.file(of: .video)
        #expect(again == video && counted.bytes == before + segment.bytes.readableBytes)
        #expect(try Fragments(video).count == segment.parts.count)
        #expect(segment.file(of: .data) == nil)
    }

    @Test("A segment of one track alone is not copied")
    func oneTrack() throws {
        var segmenter = Segmenter()
        var tracks = try SyntheticStream.tracks()
        tracks.audio = nil
        try segmenter.setTracks(tracks)
        let segments = segmenter.append(SyntheticStream.pictures(0..<2_100))
        let segment = try #require(segments.first)
        let file = try #require(segment.file(of: .video))
        let place = { (bytes: ByteBuffer) in bytes.withUnsafeReadableBytes { $0.baseAddress } }
        #expect(place(file) == place(segment.bytes))
        #expect(segment.file(of: .audio) == nil)
    }

    @Test("A discontinuity begins a period, whose offset makes its first frame the period's beginning")
    func periods() throws {
        var stream = SegmentedStream(configuration: SegmenterConfiguration(window: 8))
        try stream.setTracks(try SyntheticStream.tracks())
        func send(_ units: [AccessUnit], plus: Int64) {
            for unit in units { _ = stream.append(unit, now: plus + unit.decodeTime.milliseconds) }
        }
        send(SyntheticStream.both(1_000..<5_100), plus: 1_700_000_000_000)
        _ = stream.discontinuity(now: 0)
        // Seven seconds later, on a timeline of its own.
        send(SyntheticStream.both(90_000..<94_100), plus: 1_700_000_012_000 - 90_000)
        let first = try mpd(try #require(stream.snapshot))
        #expect(first.periods.map { $0.attributes["id"] } == ["p0", "p3"])
        #expect(first.periods.map { $0.attributes["start"] } == [text(1_700_000_001_000), text(1_700_000_012_000)])
        let offsets = first.periods.map { period in
            period.all("AdaptationSet").map { $0.first("SegmentTemplate")?.integer("presentationTimeOffset") ?? -1 }
        }
        let rate = Int64(44_100)
        #expect(offsets == [[90_000, rate], [8_100_000, 90 * rate]])
        #expect(first.segments("video").map(\.date) == [1, 3, 5, 12, 14].map { 1_700_000_000 + $0 })

        let last = stream.end(now: 0)
        let ended = try mpd(try #require(last))
        #expect(ended.isEnded)
        #expect(first.problems(before: ended) == [])
        #expect(ended.periods.last?.seconds("duration") != nil)
        let length = try #require(ended.root.seconds("mediaPresentationDuration"))
        #expect(abs(length - 1_700_000_016.1) < 0.05)
    }

    @Test("When the encoder's clock is off by seconds, a period begins that is right again")
    func drift() throws {
        var stream = SegmentedStream(configuration: SegmenterConfiguration(window: 30))
        try stream.setTracks(try SyntheticStream.tracks())
        for unit in SyntheticStream.both(0..<40_100) {
            // A tenth slower than the world.
            _ = stream.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds * 11 / 10)
        }
        let mpd = try mpd(try #require(stream.snapshot))
        #expect(mpd.periods.count > 1)
        for (index, segment) in mpd.segments("video").enumerated() {
            #expect(abs(segment.date - 1_700_000_000 - Double(index) * 2.2) < 3)
        }
    }

    @Test("Audio that stays away and comes back makes periods with and without it")
    func tracksThatStayAway() throws {
        var stream = SegmentedStream(configuration: SegmenterConfiguration(window: 30))
        try stream.setTracks(try SyntheticStream.tracks())
        let units = SyntheticStream.both(0..<12_100).filter {
            $0.codec.isVideo || !(4_000..<8_000).contains($0.decodeTime.milliseconds)
        }
        for unit in units { _ = stream.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds) }
        let mpd = try mpd(try #require(stream.snapshot))
        let kinds = mpd.periods.map { $0.all("AdaptationSet").map { $0.attributes["contentType"] ?? "" } }
        #expect(kinds == [["video", "audio"], ["video"], ["video", "audio"]])
        #expect(mpd.segments("video").count == 6)
    }

    @Test("The segment that is being written is listed with its first part, as long as the one before it")
    func openSegment() throws {
        var segmenter = Segmenter()
        try segmenter.setTracks(try SyntheticStream.tracks())
        var window = SegmentWindow(configuration: segmenter.configuration)
        var listed: [Int64: [Int]] = [:]
        for unit in SyntheticStream.both(0..<6_020) {
            if let segment = segmenter.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds) {
                window.append(segment)
            }
            guard let snapshot = window.snapshot(open: segmenter.openSegment) else { continue }
            let mpd = try mpd(snapshot)
            listed[segmenter.nextPart, default: []].append(mpd.segments("video").count)
            let last = try #require(mpd.segments("video").last)
            #expect(last.start % 180_000 == 0 && last.duration == 180_000)
            let template = mpd.periods.first?.first("AdaptationSet")?.first("SegmentTemplate")
            #expect(template?.attributes["availabilityTimeComplete"] == "false")
            #expect(template?.attributes["availabilityTimeOffset"] == "1.796000")
        }
        // The second segment has ten parts, from the twelfth on; the first was one of ten, and then nothing is there yet.
        #expect(listed[10] == Array(repeating: 1, count: listed[10]?.count ?? 0))
        for part: Int64 in 11...19 { #expect(Set(listed[part] ?? []) == [2], "\(part)") }
    }

    @Test("An MPD says codecs, size, measured rates and channels")
    func representation() throws {
        var stream = SegmentedStream()
        try stream.setTracks(try SyntheticStream.tracks())
        for unit in SyntheticStream.both(0..<4_100) { _ = stream.append(unit, now: unit.decodeTime.milliseconds) }
        let snapshot = try #require(stream.snapshot)
        let mpd = try mpd(snapshot)
        let sets = try #require(mpd.periods.first).all("AdaptationSet")
        let video = try #require(sets.first?.first("Representation"))
        let audio = try #require(sets.last?.first("Representation"))
        #expect(video.attributes["codecs"] == snapshot.tracks.video?.codecString)
        #expect(video.attributes["frameRate"] == "25")
        #expect(video.integer("width") == snapshot.tracks.video?.resolution.map { Int64($0.width) })
        let bytes = snapshot.listed.map { $0.length(.video) }.max() ?? 0
        #expect(video.integer("bandwidth") == Int64(bytes) * 8 / 2)
        #expect(audio.attributes["codecs"] == "mp4a.40.2")
        #expect(audio.first("AudioChannelConfiguration")?.attributes["value"] == "1")
        #expect(sets.allSatisfy { $0.attributes["startWithSAP"] == "1" })
    }
}

private final class Counter: @unchecked Sendable {
    // `@unchecked Sendable`: the test has one thread.
    var bytes = 0
}

/// The fragments of a file, read as ISO/IEC 14496-12 says.
private struct Fragments {
    private(set) var tracks: Set<UInt32> = []
    private(set) var count = 0
    private(set) var decodeStart = Int64.max
    private(set) var presentationStart = Int64.max
    private(set) var decodeEnd = Int64.min

    init(_ bytes: ByteBuffer) throws {
        var bytes = bytes
        while bytes.readableBytes > 0 { try read(&bytes) }
    }

    private var time: Int64 = 0

    private func integer<T: FixedWidthInteger>(_ bytes: inout ByteBuffer, as: T.Type) throws -> T {
        let value = bytes.readInteger(as: T.self)
        return try #require(value)
    }

    private mutating func read(_ bytes: inout ByteBuffer) throws {
        let size = Int(try integer(&bytes, as: UInt32.self))
        let type = bytes.readString(length: 4)
        let contents = bytes.readSlice(length: size - 8)
        var box = try #require(contents)
        switch type {
        case "moof", "traf":
            while box.readableBytes > 0 { try read(&box) }
            if type == "moof" { count += 1 }
        case "tfhd":
            box.moveReaderIndex(forwardBy: 4)
            tracks.insert(try integer(&box, as: UInt32.self))
        case "tfdt":
            box.moveReaderIndex(forwardBy: 4)
            time = try integer(&box, as: Int64.self)
            decodeStart = min(decodeStart, time)
        case "trun":
            let flags = try integer(&box, as: UInt32.self)
            let samples = try integer(&box, as: UInt32.self)
            box.moveReaderIndex(forwardBy: 4)
            for _ in 0..<samples {
                let duration = try integer(&box, as: UInt32.self)
                box.moveReaderIndex(forwardBy: flags & 0x400 == 0 ? 4 : 8)
                let offset = flags & 0x800 == 0 ? 0 : try integer(&box, as: Int32.self)
                presentationStart = min(presentationStart, time + Int64(offset))
                time += Int64(duration)
            }
            decodeEnd = max(decodeEnd, time)
        default: break
        }
    }
}

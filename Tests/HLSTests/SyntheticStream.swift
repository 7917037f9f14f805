import Foundation
import Media
import NIOCore
import TestSupport

@testable import HLS

/// Access units with real configurations and tiny payloads, for the rules that look at times only.
enum SyntheticStream {
    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures")

    static func file(_ name: String) throws -> AccessUnitFile {
        try AccessUnitFile(named: name, in: fixtures)
    }

    /// H.264 and AAC.
    static func tracks() throws -> TrackSet {
        try file("avc-aac.units").tracks
    }

    static func video(_ milliseconds: Int64, key: Bool = false, offset: Int64 = 0, size: Int = 8) -> AccessUnit {
        var payload = ByteBuffer(integer: UInt32(size))
        // One slice, of an IDR picture or of another.
        payload.writeInteger(UInt8(key ? 0x65 : 0x41))
        payload.writeRepeatingByte(0x88, count: size - 1)
        return AccessUnit(
            codec: .video(.avc), decodeTime: MediaTime(milliseconds: milliseconds),
            compositionOffset: MediaTime(milliseconds: offset), isKeyframe: key, payload: payload)
    }

    static func audio(_ milliseconds: Int64) -> AccessUnit {
        AccessUnit(
            codec: .audio(.aac), decodeTime: MediaTime(milliseconds: milliseconds), isKeyframe: true,
            payload: ByteBuffer(repeating: 0x21, count: 6))
    }

    /// Pictures every 40 ms with a keyframe every `gop`, and sound every 20 ms, in order of decode time.
    static func both(_ range: Range<Int64>, gop: Int64 = 2_000) -> [AccessUnit] {
        var units: [AccessUnit] = []
        for time in stride(from: range.lowerBound, to: range.upperBound, by: 20) {
            let offset = time - range.lowerBound
            if offset % 40 == 0 { units.append(video(time, key: offset % gop == 0)) }
            units.append(audio(time))
        }
        return units
    }

    static func pictures(_ range: Range<Int64>, gop: Int64 = 2_000) -> [AccessUnit] {
        both(range, gop: gop).filter { $0.codec.isVideo }
    }

    static func sound(_ range: Range<Int64>) -> [AccessUnit] {
        both(range).filter { !$0.codec.isVideo }
    }

    /// A finished segment, for rules about lists of them.
    static func segment(
        _ sequence: Int64, milliseconds: Int64 = 2_000, bytes: Int = 1_000, discontinuity: Bool = false,
        discontinuitySequence: Int64 = 0,
        keyframe: Bool = true, date: Int64 = 0, initialization: InitializationFile? = nil, videoFrames: Int = 50,
        videoSpan: Int64 = 1_960, target: Int = 2, parts: [Part] = []
    ) -> Segment {
        Segment(
            position: SequenceNumbers.Position(media: sequence, discontinuity: discontinuitySequence),
            targetDuration: target, partTarget: MediaTime(milliseconds: 204),
            initialization: initialization
                ?? InitializationFile(name: .initialization(0), bytes: ByteBuffer(string: "x")),
            duration: MediaTime(milliseconds: milliseconds),
            isDiscontinuity: discontinuity, programDateTime: date, startsWithKeyframe: keyframe,
            firstTime: .zero, lastTime: .zero, videoFrames: videoFrames,
            videoSpan: MediaTime(milliseconds: videoSpan), tracks: TrackSet(),
            bytes: ByteBuffer(repeating: 0, count: bytes), parts: parts, index: [])
    }

    /// A finished part of the publication that began with segment 0.
    static func part(_ number: Int64, milliseconds: Int64 = 200, independent: Bool = false, bytes: Int = 100) -> Part {
        Part(
            name: .part(life: 0, number: number), duration: MediaTime(milliseconds: milliseconds),
            isIndependent: independent, bytes: ByteBuffer(repeating: UInt8(number), count: bytes), videoLength: bytes,
            entityTag: "\"\(number)\"")
    }
}

/// A segmenter and the playlist its segments go into, as the packager of a stream has them.
struct SegmentedStream {
    private(set) var segmenter: Segmenter
    private(set) var window: SegmentWindow
    private(set) var snapshot: PlaylistSnapshot?

    init(
        configuration: SegmenterConfiguration = SegmenterConfiguration(),
        plan: ProgramPlan = ProgramPlan(numbers: SequenceNumbers(first: 0)), above floor: Int64? = nil
    ) {
        segmenter = Segmenter(configuration: configuration, plan: plan, above: floor)
        window = SegmentWindow(configuration: configuration)
    }

    mutating func setTracks(_ tracks: TrackSet) throws {
        try segmenter.setTracks(tracks)
    }

    /// The new snapshot, when the access unit has finished a segment.
    mutating func append(_ unit: AccessUnit, now: Int64) -> PlaylistSnapshot? {
        list(segmenter.append(unit, now: now), now: now)
    }

    mutating func discontinuity(now: Int64) -> PlaylistSnapshot? {
        list(segmenter.discontinuity(), now: now)
    }

    mutating func end(now: Int64) -> PlaylistSnapshot? {
        if let last = segmenter.end() { window.append(last) }
        window.end()
        snapshot = window.snapshot()
        return snapshot
    }

    private mutating func list(_ segment: Segment?, now: Int64) -> PlaylistSnapshot? {
        guard let segment else { return nil }
        window.append(segment)
        snapshot = window.snapshot(open: segmenter.openSegment)
        return snapshot
    }
}

extension SequenceNumbers {
    /// Of a stream that was given the block of 1,000 beginning at `first`.
    init(first: Int64, after previous: SequenceNumbers? = nil) {
        self.init(block: 1_000, after: previous)
        reserved(first: first)
    }
}

extension Segmenter {
    /// Numbered from `first` on.
    init(_ configuration: SegmenterConfiguration = SegmenterConfiguration(), first: Int64 = 0) {
        self.init(configuration: configuration, plan: ProgramPlan(numbers: SequenceNumbers(first: first)))
    }

    /// Appends them all, with the wall clock running like the media from `start`.
    mutating func append(_ units: [AccessUnit], start: Int64 = 1_700_000_000_000) -> [Segment] {
        units.compactMap { append($0, now: start + $0.decodeTime.milliseconds) }
    }
}

extension Segment {
    /// What a test says about a segment: number, duration in milliseconds, and `!` for a discontinuity, `~` when it does
    /// not start with a keyframe.
    var summary: String {
        "\(sequence):\(duration.milliseconds)\(isDiscontinuity ? "!" : "")\(startsWithKeyframe ? "" : "~")"
    }
}

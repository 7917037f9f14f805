import Basics
import Media
import NIOCore

/// The samples of one track that wait for their fragment.
struct TrackFragment {
    struct Sample {
        /// Decode time in the track's ticks.
        var time: Int64
        var compositionOffset: Int32
        /// What the codec says one sample lasts, if it says.
        var nominalDuration: Int64?
        var isSync: Bool
        var payload: ByteBuffer
    }

    let kind: TrackKind
    let configuration: CodecConfiguration
    let codec: Codec
    let timescale: Int64
    let origin: MediaTime
    var samples: [Sample] = []
    /// Where the next audio frame starts if the track has no gap.
    private var expected: Int64?
    /// The latest known distance between two samples, for the last one of a file.
    private var usualDuration: Int64 = 0

    init(kind: TrackKind, configuration: CodecConfiguration, origin: MediaTime) {
        self.kind = kind
        self.configuration = configuration
        self.codec = configuration.codec
        self.timescale = Int64(TrackKind.timescale(of: configuration))
        self.origin = origin
    }

    mutating func append(_ unit: AccessUnit) {
        let start = unit.decodeTime - origin
        var time = start.ticks(timescale: timescale)
        let offset = (start + unit.compositionOffset).ticks(timescale: timescale).subtractingReportingOverflow(time)
        let nominal = configuration.samples(inUnit: unit.payload).map(Int64.init)
        if let nominal {
            // RTMP's milliseconds make frames of 1,024 samples look like 1,014 and 1,058; browsers would hear gaps and
            // overlaps. Within 20 ms the frames stand end to end.
            if let expected {
                let (distance, overflow) = time.subtractingReportingOverflow(expected)
                if !overflow, distance.magnitude <= (timescale / 50).magnitude { time = expected }
            }
            expected = time.addingReportingOverflow(nominal).partialValue
        }
        if let previous = samples.last {
            let (distance, overflow) = time.subtractingReportingOverflow(previous.time)
            if !overflow, distance > 0 { usualDuration = distance }
        }
        samples.append(
            Sample(
                time: time,
                compositionOffset: offset.overflow ? 0 : Int32(clamping: offset.partialValue),
                nominalDuration: nominal,
                isSync: unit.isKeyframe || kind == .audio,
                payload: unit.payload))
    }

    /// The duration of the sample at `index`: up to the next one; for the last, up to `end` when that is known and
    /// later, else what the codec says, else as before. A sample never lasts less than nothing: where timestamps go
    /// back, the next fragment's `tfdt` puts the timeline right.
    func duration(at index: Int, end: Int64?) -> UInt32 {
        let sample = samples[index]
        let next = index + 1 < samples.count ? samples[index + 1].time : end
        if let next, next > sample.time {
            let (distance, overflow) = next.subtractingReportingOverflow(sample.time)
            return overflow ? .max : UInt32(clamping: distance)
        }
        if index + 1 < samples.count { return 0 }
        return UInt32(clamping: sample.nominalDuration ?? usualDuration)
    }

    /// What the fragment will say of its times.
    /// - Parameter end: in the track's ticks, when its last sample ends, if that is known.
    func span(end: Int64?) -> TrackSpan? {
        guard let first = samples.first, let last = samples.last else { return nil }
        let presentation = samples.lazy.map { $0.time.addingSaturated(Int64($0.compositionOffset)) }.min() ?? first.time
        return TrackSpan(
            timescale: timescale, decodeStart: max(0, first.time), presentationStart: max(0, presentation),
            decodeEnd: max(0, last.time.addingSaturated(Int64(duration(at: samples.count - 1, end: end)))))
    }

    /// A time of the stream in this track's ticks.
    func ticks(_ time: MediaTime) -> Int64 {
        (time - origin).ticks(timescale: timescale)
    }
}

/// When the samples of one track in a file begin and end, in ticks of the track, as the file itself says.
public struct TrackSpan: Sendable, Hashable, Codable {
    /// Ticks a second.
    public let timescale: Int64
    /// When the first sample is decoded.
    public let decodeStart: Int64
    /// When the earliest sample is shown.
    public let presentationStart: Int64
    /// When the last sample's time of decoding is over.
    public let decodeEnd: Int64

    public init(timescale: Int64, decodeStart: Int64, presentationStart: Int64, decodeEnd: Int64) {
        self.timescale = timescale
        self.decodeStart = decodeStart
        self.presentationStart = presentationStart
        self.decodeEnd = decodeEnd
    }

    /// Of this file and one that follows it.
    public func joined(with next: TrackSpan) -> TrackSpan {
        TrackSpan(
            timescale: timescale, decodeStart: decodeStart,
            presentationStart: min(presentationStart, next.presentationStart),
            decodeEnd: max(decodeEnd, next.decodeEnd))
    }

    /// Its length in ticks; never below zero.
    public var duration: Int64 { max(0, decodeEnd - decodeStart) }
}

/// The sample flags used here (ISO/IEC 14496-12 §8.8.3.1).
enum SampleFlags {
    /// Depends on no other sample.
    static let sync: UInt32 = 0x0200_0000
    /// Depends on others, and is no sync sample.
    static let nonSync: UInt32 = 0x0101_0000
}

import Media
import NIOCore

/// Consecutive samples of a stream, chunked together: what a subscriber takes in one write.
///
/// A keyframe always begins a merged write, so a subscriber that starts or catches up stands on a boundary.
public final class MergedWrite: Sendable {
    /// Position in the stream, counted from 0 without gaps.
    public let sequence: Int64
    public let messages: ChunkedMessages
    public let firstTime: MediaTime
    public let lastTime: MediaTime
    public let videoFrames: Int
    /// What a subscriber needs first if it starts here; nil where none may start.
    public let joinPoint: JoinPoint?

    init(
        sequence: Int64, messages: ChunkedMessages, firstTime: MediaTime, lastTime: MediaTime, videoFrames: Int,
        joinPoint: JoinPoint?
    ) {
        self.sequence = sequence
        self.messages = messages
        self.firstTime = firstTime
        self.lastTime = lastTime
        self.videoFrames = videoFrames
        self.joinPoint = joinPoint
    }

    /// What it holds in memory, by capacity.
    var heldBytes: Int {
        messages.heldBytes + (joinPoint?.preamble.heldBytes ?? 0) + 128
    }
}

/// The metadata and headers in force at a merged write, as a subscriber that starts there gets them.
public struct JoinPoint: Sendable {
    public let preamble: ChunkedMessages
    /// The time of the first sample.
    public let time: MediaTime

    init(_ headers: JoinHeaders, at time: MediaTime) {
        preamble = ChunkedMessages(headers.samples[...], at: time)
        self.time = time
    }
}

/// What is in force for whoever joins: the encoder's metadata, then each track's sequence header and track metadata.
///
/// Bounded: a publisher of endless tracks, or of megabytes of metadata, passes through but is not kept.
struct JoinHeaders {
    /// Bytes of one header that is kept.
    static let mostHeaderBytes = 64 << 10
    /// Headers that are kept: metadata, and two for each track.
    static let mostHeaders = 1 + 2 * TrackWatch.mostTracks

    /// In the order in which a decoder needs them.
    private(set) var samples: [StreamSample] = []

    /// Takes a sample if it is one that later comers need.
    mutating func observe(_ sample: StreamSample) {
        guard let rank = JoinHeaders.rank(sample) else { return }
        var sample = sample
        sample.makeBody()
        guard let body = sample.body, body.readableBytes <= JoinHeaders.mostHeaderBytes else { return }
        let index = samples.firstIndex { (JoinHeaders.rank($0) ?? rank) >= rank } ?? samples.endIndex
        if index < samples.endIndex, JoinHeaders.rank(samples[index]) == rank {
            heldBytes += sample.heldBytes - samples[index].heldBytes
            samples[index] = sample
        } else if samples.count < JoinHeaders.mostHeaders {
            heldBytes += sample.heldBytes
            samples.insert(sample, at: index)
        }
    }

    var metadata: StreamSample? {
        samples.first { if case .metadata = $0.content { true } else { false } }
    }

    /// What they hold, by capacity.
    private(set) var heldBytes = 0

    /// Its place among the headers; nil for what is none.
    private static func rank(_ sample: StreamSample) -> Int? {
        let track = (Int(sample.track.kind.rawValue) << 8 | Int(sample.track.number)) << 1
        switch sample.content {
        case .metadata: return -1
        case .configuration, .unreadable(_, isHeader: true): return track
        case .trackMetadata: return track | 1
        case .accessUnit, .timedMetadata, .unreadable, .other: return nil
        }
    }
}

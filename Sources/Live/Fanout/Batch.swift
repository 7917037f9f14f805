import Media

/// Consecutive messages of a stream, chunked together: what a reader takes in one write.
///
/// A keyframe always begins a batch, so a reader that starts or catches up stands on batch boundaries.
public final class Batch: Sendable {
    /// Position in the stream, counted from 0 without gaps.
    public let sequence: Int64
    public let run: ChunkedRun
    public let firstTime: MediaTime
    public let lastTime: MediaTime
    public let videoFrames: Int
    /// What a reader needs first if it starts here; nil where none may start.
    public let startPoint: StartPoint?

    init(
        sequence: Int64, run: ChunkedRun, firstTime: MediaTime, lastTime: MediaTime, videoFrames: Int,
        startPoint: StartPoint?
    ) {
        self.sequence = sequence
        self.run = run
        self.firstTime = firstTime
        self.lastTime = lastTime
        self.videoFrames = videoFrames
        self.startPoint = startPoint
    }
}

/// The metadata and sequence headers in force at a batch, stamped with its first time so that audio, video and headers have
/// one common base for whoever starts there.
public struct StartPoint: Sendable {
    public let preamble: ChunkedRun

    init(metadata: StreamMessage?, video: StreamMessage?, audio: StreamMessage?, at time: MediaTime) {
        var run = ChunkedRun(messages: 3)
        for message in [metadata, video, audio] {
            if let message { run.append(message, timestamp: time) }
        }
        preamble = run
    }
}

import Media

/// Consecutive messages of a stream, chunked together: what a reader takes in one write.
///
/// A keyframe always begins a batch, so a reader that starts or catches up stands on batch boundaries.
public final class MergedWrite: Sendable {
    /// Position in the stream, counted from 0 without gaps.
    public let sequence: Int64
    public let run: ChunkedMessages
    public let firstTime: MediaTime
    public let lastTime: MediaTime
    public let videoFrames: Int
    /// What a reader needs first if it starts here; nil where none may start.
    public let joinPoint: JoinPoint?

    init(
        sequence: Int64, run: ChunkedMessages, firstTime: MediaTime, lastTime: MediaTime, videoFrames: Int,
        joinPoint: JoinPoint?
    ) {
        self.sequence = sequence
        self.run = run
        self.firstTime = firstTime
        self.lastTime = lastTime
        self.videoFrames = videoFrames
        self.joinPoint = joinPoint
    }
}

/// The metadata and sequence headers in force at a batch, stamped with its first time so that audio, video and headers have
/// one common base for whoever starts there.
public struct JoinPoint: Sendable {
    public let preamble: ChunkedMessages

    init(metadata: StreamSample?, video: StreamSample?, audio: StreamSample?, at time: MediaTime) {
        var run = ChunkedMessages(messages: 3)
        for message in [metadata, video, audio] {
            if let message { run.append(message, timestamp: time) }
        }
        preamble = run
    }
}

import Media

/// How a stream is cut into segments and how much of it is kept. Values outside their range are brought into it.
public struct SegmenterConfiguration: Sendable, Hashable {
    /// The length aimed at; a segment ends at the first keyframe at or after it (audio alone: at the first frame).
    /// 0.5 s to 30 s.
    public let segmentDuration: MediaTime
    /// The length of parts aimed at; a part ends with the frame that brings it nearest. 50 ms to 2 s, and at most half of a
    /// segment.
    public let partDuration: MediaTime
    /// How many segments a playlist lists, 3 to 120. It lists more while fewer would be shorter than three target
    /// durations (RFC 8216 §6.2.2).
    public let window: Int
    /// How many segments stay fetchable after they have left the playlist, at least. More stay while the RFC asks for
    /// it: the segment's own duration plus that of the longest playlist that listed it. 0 to 120.
    public let retainedSegments: Int
    /// Where a segment is cut although no keyframe has come. 30 s lets x264's default GOP (250 frames) through whole,
    /// and bounds what a stream with a single keyframe, such as one with intra refresh, can hold back.
    /// At least three segment durations.
    public let maximumSegmentDuration: MediaTime
    /// Where a segment is cut although no keyframe has come, and the largest access unit taken. 64 KiB to 1 GiB.
    public let maximumSegmentBytes: Int
    /// All segments of the stream together; beyond it the oldest go first, listed or not. At least one largest segment.
    public let maximumTotalBytes: Int

    public init(
        segmentDuration: MediaTime = MediaTime(milliseconds: 2_000),
        partDuration: MediaTime = MediaTime(milliseconds: 200),
        window: Int = 6,
        retainedSegments: Int = 6,
        maximumSegmentDuration: MediaTime = MediaTime(milliseconds: 30_000),
        maximumSegmentBytes: Int = 32 << 20,
        maximumTotalBytes: Int = 128 << 20
    ) {
        let duration = min(max(segmentDuration, MediaTime(milliseconds: 500)), MediaTime(milliseconds: 30_000))
        self.segmentDuration = duration
        let half = MediaTime(nanoseconds: duration.nanoseconds / 2)
        self.partDuration = min(max(partDuration, MediaTime(milliseconds: 50)), MediaTime(milliseconds: 2_000), half)
        self.window = min(max(window, 3), 120)
        self.retainedSegments = min(max(retainedSegments, 0), 120)
        // At most 30 s times 3: far from overflow. The upper bound keeps a part of a day out of one segment.
        let tripled = MediaTime(nanoseconds: duration.nanoseconds * 3)
        self.maximumSegmentDuration = min(max(maximumSegmentDuration, tripled), MediaTime(milliseconds: 120_000))
        let segmentBytes = min(max(maximumSegmentBytes, 64 << 10), 1 << 30)
        self.maximumSegmentBytes = segmentBytes
        self.maximumTotalBytes = max(maximumTotalBytes, segmentBytes)
    }
}

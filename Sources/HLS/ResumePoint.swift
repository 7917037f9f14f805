/// Where a playlist goes on in another life of the stream, so that its numbers never go back (RFC 8216 §6.2.1).
///
/// Keep it with the stream and give it to the next `Segmenter`. What was kept may be older than what players saw, after
/// a crash for instance: then add to `sequence` more than could have been cut meanwhile; gaps do no harm.
public struct ResumePoint: Sendable, Hashable {
    /// The media sequence number of the next segment.
    public var sequence: Int64
    /// The discontinuities before the next segment.
    public var discontinuitySequence: Int64

    /// Negative numbers count as 0; beyond 2^62 they stop, so that counting on never overflows.
    public init(sequence: Int64 = 0, discontinuitySequence: Int64 = 0) {
        self.sequence = min(max(0, sequence), 1 << 62)
        self.discontinuitySequence = min(max(0, discontinuitySequence), 1 << 62)
    }
}

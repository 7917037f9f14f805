/// Turns RTMP's 32-bit millisecond timestamps, which wrap every 49.7 days, into one 64-bit timeline.
///
/// Each timestamp is taken as the one nearest to the last: up to 24.8 days forward or backward. So a wrap continues,
/// and the small backward steps of interleaved audio and video stay small. Use one per stream, for all its tracks.
public struct TimestampUnwrapper: Sendable, Hashable {
    private var last: Int64?

    public init() {}

    /// - Returns: milliseconds; the first equals the timestamp itself, and so it is never negative at the start.
    @inlinable
    public mutating func unwrap(_ timestamp: UInt32) -> Int64 {
        advance(timestamp)
    }

    @usableFromInline
    mutating func advance(_ timestamp: UInt32) -> Int64 {
        guard let last else {
            self.last = Int64(timestamp)
            return Int64(timestamp)
        }
        // The signed 32-bit difference is the shortest way round the circle. The sum cannot leave Int64 in the
        // lifetime of anything: each step adds less than 2³¹.
        let step = Int32(bitPattern: timestamp &- UInt32(truncatingIfNeeded: last))
        let next = last &+ Int64(step)
        self.last = next
        return next
    }
}

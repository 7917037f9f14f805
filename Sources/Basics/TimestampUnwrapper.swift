/// Continues timestamps of a limited number of bits over their wrap, as one 64-bit timeline.
///
/// Each timestamp is taken as the one nearest to the last, up to half the circle forward or backward. So a wrap continues,
/// and the small backward steps of interleaved tracks stay small. Use one for all tracks of a stream, so that they stay
/// together when only some have wrapped. RTMP's 32-bit milliseconds wrap every 49.7 days, MPEG-TS's 33-bit ticks every 26.5
/// hours.
public struct TimestampUnwrapper: Sendable, Hashable {
    private let bits: Int
    private var last: Int64?

    /// - Parameter bits: of a timestamp, 1 to 62.
    public init(bits: Int) {
        assert((1...62).contains(bits))
        self.bits = min(max(bits, 1), 62)
    }

    /// - Parameter timestamp: its bits above the circle's are ignored.
    /// - Returns: the first timestamp unchanged, so never negative at the start.
    public mutating func unwrap(_ timestamp: some BinaryInteger) -> Int64 {
        let period = Int64(1) << Int64(bits)
        let stamp = Int64(truncatingIfNeeded: timestamp) & (period - 1)
        guard let last else {
            self.last = stamp
            return stamp
        }
        var step = (stamp &- last) & (period - 1)
        if step >= period / 2 {
            step -= period
        }
        // Wrapping addition: even the largest steps of an MPEG-TS clock reach the end of 64 bits after 2³¹ of them only.
        let next = last &+ step
        self.last = next
        return next
    }
}

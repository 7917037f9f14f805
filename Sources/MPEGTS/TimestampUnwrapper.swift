import Media

/// Continues 33-bit timestamps over their wrap: each is taken as the one nearest to the one before. All tracks share
/// one, so that they stay together when only some have wrapped.
struct TimestampUnwrapper: Sendable {
    private var last: Int64?

    mutating func unwrap(_ stamp: UInt64) -> MediaTime {
        let stamp = Int64(stamp & TransportStream.timestampMask)
        var ticks = stamp
        if let last {
            let period: Int64 = 1 << 33
            var step = (stamp &- last) & Int64(TransportStream.timestampMask)
            if step >= period / 2 {
                step -= period
            }
            // Each step is below 2^32: 2^31 of them before the end of 64 bits. Wrapping keeps even that harmless.
            ticks = last &+ step
        }
        last = ticks
        return MediaTime(ticks: ticks, timescale: TransportStream.timescale)
    }
}

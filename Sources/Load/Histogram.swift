import NIOCore

/// How long things took, in buckets that are at most 2 % wide.
struct Histogram: Sendable {
    /// 64 buckets for each power of two of microseconds, up to some hours.
    private var counts = [UInt32](repeating: 0, count: 64 * 30)
    private(set) var count = 0
    private(set) var worst = TimeAmount.zero

    mutating func add(_ time: TimeAmount) {
        let microseconds = UInt64(clamping: time.nanoseconds / 1_000)
        counts[min(Self.bucket(microseconds), counts.count - 1)] &+= 1
        count += 1
        worst = max(worst, time)
    }

    /// The time that this part of all is not above; nil of nothing.
    func quantile(_ part: Double) -> TimeAmount? {
        guard count > 0 else { return nil }
        let rank = max(1, Int((Double(count) * part).rounded(.up)))
        var seen = 0
        for (bucket, count) in counts.enumerated() {
            seen += Int(count)
            if seen >= rank { return min(worst, .microseconds(Int64(Self.top(of: bucket)))) }
        }
        return worst
    }

    private static func bucket(_ value: UInt64) -> Int {
        guard value >= 64 else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - 6
        return 64 * (shift + 1) + Int(value >> UInt64(shift)) - 64
    }

    /// The largest value of a bucket.
    private static func top(of bucket: Int) -> UInt64 {
        guard bucket >= 64 else { return UInt64(bucket) }
        let (shift, place) = (bucket / 64 - 1, bucket % 64 + 64)
        return UInt64(place + 1) << UInt64(shift) - 1
    }
}

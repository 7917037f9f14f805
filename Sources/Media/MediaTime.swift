import Basics

/// A point or a length on a stream's timeline, in nanoseconds.
///
/// A stream has one 64-bit timeline that never wraps: RTMP's 32-bit milliseconds and MPEG-TS's 33-bit clock of 90 kHz are
/// unwrapped on the way in and wrapped on the way out. The unit is the nanosecond, because enhanced RTMP's
/// `TimestampOffsetNano` needs it and because a tick of 90 kHz survives the round trip. The range is ±292 years. Arithmetic
/// saturates and never traps.
public struct MediaTime: Hashable, Comparable, Sendable, Codable {
    public var nanoseconds: Int64

    public static let zero = MediaTime(nanoseconds: 0)

    @inlinable
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// - Parameter milliseconds: saturates beyond ±292 years.
    @inlinable
    public init(milliseconds: Int64) {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        self.nanoseconds = overflow ? (milliseconds < 0 ? .min : .max) : product
    }

    /// A count of ticks of a clock with `timescale` ticks a second (90,000 for MPEG-TS); rounded to the nearest
    /// nanosecond. A timescale below 1 counts as 1.
    @inlinable
    public init(ticks: Int64, timescale: Int64) {
        let scale = Swift.max(1, timescale)
        let (seconds, rest) = ticks.quotientAndRemainder(dividingBy: scale)
        // |rest| < scale, so rest * 1e9 fits for every timescale up to 9.2e9.
        let fraction = MediaTime.scaled(rest, by: 1_000_000_000, over: scale)
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else {
            self.nanoseconds = ticks < 0 ? .min : .max
            return
        }
        self.nanoseconds = whole.addingSaturated(fraction)
    }

    /// Whole milliseconds, rounded to nearest (halves away from zero).
    @inlinable
    public var milliseconds: Int64 {
        ticks(timescale: 1_000)
    }

    @inlinable
    public var seconds: Double {
        Double(nanoseconds) / 1_000_000_000
    }

    /// This time as ticks of a clock with `timescale` ticks a second, rounded to nearest (halves away from zero).
    @inlinable
    public func ticks(timescale: Int64) -> Int64 {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let fraction = MediaTime.scaled(rest, by: Swift.max(1, timescale), over: 1_000_000_000)
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: Swift.max(1, timescale))
        guard !overflow else { return nanoseconds < 0 ? .min : .max }
        return whole.addingReportingOverflow(fraction).partialValue
    }

    /// value × numerator ÷ denominator, rounded to nearest, without overflow in the product.
    @usableFromInline
    static func scaled(_ value: Int64, by numerator: Int64, over denominator: Int64) -> Int64 {
        let wide = value.magnitude.multipliedFullWidth(by: numerator.magnitude)
        let half = denominator.magnitude / 2
        let (low, carry) = wide.low.addingReportingOverflow(half)
        let high = wide.high &+ (carry ? 1 : 0)
        guard high < denominator.magnitude else { return value < 0 ? .min : .max }
        let quotient = denominator.magnitude.dividingFullWidth((high, low)).quotient
        guard quotient <= UInt64(Int64.max) else { return value < 0 ? .min : .max }
        return value < 0 ? -Int64(quotient) : Int64(quotient)
    }

    @inlinable
    public static func < (lhs: MediaTime, rhs: MediaTime) -> Bool {
        lhs.nanoseconds < rhs.nanoseconds
    }

    @inlinable
    public static func + (lhs: MediaTime, rhs: MediaTime) -> MediaTime {
        MediaTime(nanoseconds: lhs.nanoseconds.addingSaturated(rhs.nanoseconds))
    }

    @inlinable
    public static func - (lhs: MediaTime, rhs: MediaTime) -> MediaTime {
        let (difference, overflow) = lhs.nanoseconds.subtractingReportingOverflow(rhs.nanoseconds)
        return MediaTime(nanoseconds: overflow ? (rhs.nanoseconds < 0 ? .max : .min) : difference)
    }

    @inlinable
    public static func += (lhs: inout MediaTime, rhs: MediaTime) {
        lhs = lhs + rhs
    }
}

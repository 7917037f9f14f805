import Media

/// Bits and pictures per second over the last few seconds of arrivals.
public struct RateMeter: Sendable {
    private static let slots = 5

    private struct Slot: Sendable {
        var second: Int64 = -1
        var bytes = 0
        var frames = 0
    }

    private var ring = [Slot](repeating: Slot(), count: slots)
    private var firstSecond: Int64?

    public init() {}

    public mutating func add(bytes: Int, isFrame: Bool, now: MediaTime) {
        let second = now.nanoseconds / 1_000_000_000
        firstSecond = firstSecond ?? second
        let index = Int(second % Int64(RateMeter.slots))
        guard index >= 0 else { return }
        if ring[index].second != second {
            ring[index] = Slot(second: second)
        }
        ring[index].bytes += bytes
        ring[index].frames += isFrame ? 1 : 0
    }

    /// Bits and pictures per second over the whole seconds that ended before `now`; zero before the first has.
    public func rates(now: MediaTime) -> (bitsPerSecond: Int, framesPerSecond: Double) {
        let second = now.nanoseconds / 1_000_000_000
        guard let firstSecond, second > firstSecond else { return (0, 0) }
        let span = min(Int64(RateMeter.slots - 1), second - firstSecond)
        var bytes = 0
        var frames = 0
        for slot in ring where slot.second < second && slot.second >= second - span {
            bytes += slot.bytes
            frames += slot.frames
        }
        return (bytes * 8 / Int(span), Double(frames) / Double(span))
    }
}

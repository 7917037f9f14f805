import NIOCore

/// How long samples are gathered before they are written to the subscribers of a stream.
///
/// One write of several messages costs about what one write of a single message costs: at thousands of viewers gathering is
/// worth 2.7× in CPU (SRS with 350 ms merged writes against its real-time mode). What counts is what the event loop has
/// to do in all, not how many watch one stream: a thousand streams of fifteen viewers are as much work as one of fifteen
/// thousand. With little to do gathering is worth nothing, so everybody gets every message at once.
enum FlushPolicy {
    /// Pushes have no one who waits for each frame: another server takes what comes.
    static let pushInterval = TimeAmount.milliseconds(50)

    /// - Parameters:
    ///   - viewers: of the stream; without any only pushes take it.
    ///   - load: of the busiest event loop that a viewer of the stream lives on.
    ///   - latency: the application's budget (`live.latency`).
    /// - Returns: nil: flush as soon as the publisher's bytes at hand are read.
    static func interval(viewers: Int, load: LoopLoad.Reading, latency: TimeAmount) -> TimeAmount? {
        guard latency > .zero else { return nil }
        guard viewers > 0 else { return min(pushInterval, latency) }
        let byCount: TimeAmount =
            switch load.viewers {
            case ..<16: .zero
            case ..<64: .milliseconds(10)
            case ..<256: .milliseconds(25)
            case ..<1024: .milliseconds(50)
            default: latency
            }
        // An event loop that is late has more to do than it can: twice its lag gives it half the work.
        let byLag: TimeAmount = load.lag > .milliseconds(5) ? load.lag + load.lag : .zero
        let wanted = max(byCount, byLag)
        return wanted > .zero ? min(wanted, latency) : nil
    }
}

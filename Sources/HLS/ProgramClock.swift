import Basics
import Media

/// Gives segments their `EXT-X-PROGRAM-DATE-TIME`.
///
/// Dates run with the media's own time from one anchor, so that they agree with the `EXTINF`s between them. The anchor
/// moves at a discontinuity, and when the date has been more than a second off the wall clock at two segments running:
/// an encoder's clock drifts, while a stall followed by a burst corrects itself.
struct ProgramClock {
    static let tolerance: Int64 = 1_000

    private var anchor: (media: MediaTime, wall: Int64)?
    private var isDrifting = false

    /// - Parameters:
    ///   - time: a segment's first decode time.
    ///   - now: Unix milliseconds at which that access unit came.
    /// - Returns: Unix milliseconds.
    mutating func date(of time: MediaTime, now: Int64) -> Int64 {
        guard let anchor else {
            self.anchor = (time, now)
            return now
        }
        let expected = anchor.wall.addingSaturated((time - anchor.media).milliseconds)
        // Distances saturate: an absurd clock gives an absurd date, not a trap.
        let drift = now.addingSaturated(expected == .min ? .max : -expected)
        guard drift > Self.tolerance || drift < -Self.tolerance else {
            isDrifting = false
            return expected
        }
        guard isDrifting else {
            isDrifting = true
            return expected
        }
        self.anchor = (time, now)
        isDrifting = false
        return now
    }

    /// The next segment sets the anchor.
    mutating func reset() {
        self = ProgramClock()
    }
}

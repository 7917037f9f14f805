import Media

/// Decides where parts end, so that a part is out with its last frame and none is longer than `PART-TARGET`.
///
/// How long the latest frame lasts is known only when the next one comes, which would be a frame too late. So the length of a
/// frame is taken from those before it.
struct PartRule: Sendable {
    /// The length aimed at.
    private let goal: MediaTime
    /// `EXT-X-PART-INF:PART-TARGET`; nil until the first segment has shown how long frames are. It never changes after that.
    private(set) var target: MediaTime?
    private var frames = FrameLength()

    /// - Parameter target: of a publication that goes on.
    init(goal: MediaTime, target: MediaTime? = nil) {
        self.goal = goal
        self.target = target
    }

    /// How long a frame of the track that parts are cut by lasts; zero before two have come.
    var frameLength: MediaTime { frames.length }

    /// Takes note of a frame of the track that parts are cut by.
    mutating func note(_ time: MediaTime) {
        frames.note(time)
    }

    /// What comes next does not continue the timeline.
    mutating func breakTimeline() {
        frames.breakTimeline()
    }

    /// Parts are cut by another track from here on, whose frames have another length.
    mutating func changeTrack() {
        frames = FrameLength()
    }

    /// Says what parts may last from here on: as many frames as come nearest to the goal, and a little more, because RTMP's
    /// milliseconds make frames longer and shorter than they are.
    mutating func fixTarget() {
        guard target == nil else { return }
        let frame = max(frames.length, MediaTime(milliseconds: 1)).nanoseconds
        let count = max(1, (goal.nanoseconds + frame / 2) / frame)
        let length = min(count, 1 << 20) * min(frame, 1 << 40)
        let slack = max(length / 50, 2_000_000)
        // Whole milliseconds, rounded up.
        target = MediaTime(milliseconds: (length + slack + 999_999) / 1_000_000)
    }

    /// Whether a part of this length ends with the frame that has just been added.
    func ends(_ length: MediaTime) -> Bool {
        let half = MediaTime(nanoseconds: frames.length.nanoseconds / 2)
        if length + half >= goal { return true }
        return target.map { length + frames.length > $0 } ?? false
    }

    /// Whether a part has to end before a frame because it would be too long with it.
    func isTooLong(_ length: MediaTime) -> Bool {
        target.map { length > $0 } ?? false
    }
}

/// How long frames last, on an average of the latest ones.
private struct FrameLength: Sendable {
    private var last: MediaTime?
    private var span: Int64 = 0
    private var count: Int64 = 0

    var length: MediaTime { MediaTime(nanoseconds: count > 0 ? span / count : 0) }

    mutating func note(_ time: MediaTime) {
        defer { last = time }
        guard let last, time > last else { return }
        var step = min((time - last).nanoseconds, 60_000_000_000)
        // A frame that was dropped says little about the others.
        if count >= 8 { step = min(step, 2 * length.nanoseconds) }
        span += step
        count += 1
        if count == 64 {
            span /= 2
            count /= 2
        }
    }

    mutating func breakTimeline() {
        last = nil
    }
}

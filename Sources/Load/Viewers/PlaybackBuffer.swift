import NIOCore

/// What a player has fetched and not played yet. It plays by the clock from the moment when enough is there, and stalls when
/// nothing is left.
struct PlaybackBuffer: Sendable {
    /// Playing begins, and goes on after a stall, with so much media.
    private(set) var startLevel = TimeAmount.zero
    private var level = TimeAmount.zero
    private var looked = NIODeadline.uptimeNanoseconds(0)
    private var isPlaying = false
    private var stalledSince: NIODeadline?
    private var isComplete = false
    /// How often it ran dry, the one that is under way included.
    private(set) var stalls = 0
    /// How long, without the one that is under way.
    private var stalled = TimeAmount.zero

    /// More is not counted, whatever a playlist says.
    private static let largest = TimeAmount.hours(240)

    mutating func begin(with startLevel: TimeAmount) {
        self.startLevel = startLevel
    }

    /// Puts media in.
    mutating func append(_ duration: TimeAmount, now: NIODeadline) {
        look(now)
        level = min(level + duration, Self.largest)
        if !isPlaying, level >= startLevel { play(now) }
    }

    /// Nothing more comes: to run dry is no stall from here on.
    mutating func complete(now: NIODeadline) {
        look(now)
        isComplete = true
        if !isPlaying, level > .zero { play(now) }
    }

    /// Lets the time go by.
    mutating func look(_ now: NIODeadline) {
        let passed = now - looked
        looked = now
        guard isPlaying else { return }
        level = level - passed
        guard level < .zero else { return }
        isPlaying = false
        if !isComplete {
            stalls += 1
            stalledSince = now + level
        }
        level = .zero
    }

    /// How long it has stalled, up to the last look.
    var stalledTime: TimeAmount {
        stalled + (stalledSince.map { looked - $0 } ?? .zero)
    }

    var isStalled: Bool { stalledSince != nil }

    private mutating func play(_ now: NIODeadline) {
        isPlaying = true
        if let since = stalledSince { stalled = stalled + (now - since) }
        stalledSince = nil
    }
}

import Basics

/// The numbers of one stream's segments and discontinuities (RFC 8216 §6.2.1, §6.2.2). They never go back: not when the
/// stream is published again, nor after a restart or a `kill -9`.
///
/// Media sequence numbers are reserved in a store by the block, before they are used. Those of one publication are
/// consecutive whatever the store gives, so what counts is not a block but its end: as long as the next number is below
/// `limit`, every later reservation, in any run and on any node, starts past it. This type decides when to reserve and
/// which number comes next; its owner asks the store.
public struct SequenceNumbers: Sendable {
    /// The numbers of a segment.
    public struct Position: Sendable, Hashable, Codable {
        /// The media sequence number.
        public var media: Int64
        /// The discontinuities before the segment, the one right before it left out.
        public var discontinuity: Int64

        /// Negative numbers count as 0; beyond 2^62 they stop, so that counting on never overflows.
        public init(media: Int64, discontinuity: Int64) {
            self.media = min(max(0, media), 1 << 62)
            self.discontinuity = min(max(0, discontinuity), 1 << 62)
        }
    }

    /// Numbers to reserve at a time.
    public let block: Int64
    /// What the next segment gets; nil until the first block has been reserved.
    public private(set) var next: Position?
    /// The first number that is not reserved.
    public private(set) var limit: Int64 = 0

    /// Where the publication before this one stopped, and what it had reserved.
    private let previous: (next: Position, limit: Int64)?
    private var isAsking = false
    /// Unix milliseconds of the latest reservation asked for.
    private var lastAsked: Int64?

    /// Milliseconds between two reservations, so that a store that fails is not asked for every access unit.
    private static let retryInterval: Int64 = 2_000

    /// - Parameters:
    ///   - block: numbers to reserve at a time.
    ///   - previous: those of the same stream's publication before this one, if it is known.
    public init(block: Int64, after previous: SequenceNumbers? = nil) {
        self.block = max(1, block)
        // A publication that never had numbers of its own hands on those before it.
        self.previous = previous.flatMap { numbers in numbers.next.map { ($0, numbers.limit) } ?? numbers.previous }
    }

    /// Those of a publication that goes on.
    /// - Parameters:
    ///   - next: what its next segment gets.
    ///   - limit: the first number that is not reserved.
    init(block: Int64, next: Position, limit: Int64) {
        self.block = max(1, block)
        previous = nil
        // It is checked, since what is read may be anything.
        self.next = Position(media: next.media, discontinuity: next.discontinuity)
        self.limit = min(max(0, limit), 1 << 62)
    }

    /// Whether to ask the store for a block now: when there are no numbers, and from half of the latest block on; once
    /// at a time. After it, `reserved(first:)` or `reservationFailed()` is due.
    ///
    /// Should the numbers run out meanwhile they go on unreserved: a viewer who watches now is worth more than one who
    /// might see a number twice after a restart.
    ///
    /// - Parameter now: Unix milliseconds.
    public mutating func shouldReserve(now: Int64) -> Bool {
        guard !isAsking else { return false }
        if let next, next.media < limit - block / 2 { return false }
        // A clock that was set back must not delay it.
        if let lastAsked, now >= lastAsked, now - lastAsked < Self.retryInterval { return false }
        isAsking = true
        lastAsked = now
        return true
    }

    /// Takes the block that the store gave.
    public mutating func reserved(first: Int64) {
        isAsking = false
        let first = max(0, first)
        if next == nil { next = start(first: first) }
        limit = max(limit, first.addingSaturated(block))
    }

    /// The store gave nothing; it is asked again later.
    public mutating func reservationFailed() {
        isAsking = false
    }

    /// Gives the next segment its numbers; nil before the first block has been reserved.
    ///
    /// - Parameter isDiscontinuity: an `EXT-X-DISCONTINUITY` stands before the segment.
    mutating func take(isDiscontinuity: Bool) -> Position? {
        guard let taken = next else { return nil }
        next = Position(
            media: taken.media + 1, discontinuity: taken.discontinuity + (isDiscontinuity ? 1 : 0))
        return taken
    }

    /// Discontinuities may have stood where no new number was taken.
    mutating func countDiscontinuities(atLeast count: Int64) {
        guard let next, next.discontinuity < count else { return }
        self.next = Position(media: next.media, discontinuity: count)
    }

    /// Where a publication starts that was given the block beginning at `first`.
    ///
    /// If nobody reserved between the publication before and this one, it goes on just where that one stopped.
    /// Otherwise it starts at the block, or past numbers that the one before used unreserved; and the discontinuity
    /// sequence starts at the same number as the media sequence: discontinuities stand before segments, so there were
    /// never more of them than segments, and it does not go back either.
    private func start(first: Int64) -> Position {
        guard let previous else { return Position(media: first, discontinuity: first) }
        if previous.limit == first { return previous.next }
        let start = max(first, previous.next.media)
        return Position(media: start, discontinuity: start)
    }
}

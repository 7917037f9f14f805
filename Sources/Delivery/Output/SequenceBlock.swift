/// Bookkeeping of the media sequence numbers that a stream has reserved in the store.
///
/// Numbers in one playlist are consecutive whatever the store gives, so what counts is not the block but its end: as long
/// as the number in use is below `limit`, every later reservation, in any run and on any node, starts past it.
struct SequenceBlock: Sendable {
    /// Numbers reserved at a time.
    let count: Int64
    /// The first number that is not reserved.
    private(set) var limit: Int64
    private var isAsking = false

    init(count: Int64, first: Int64) {
        self.count = count
        limit = Self.adding(first, count)
    }

    /// Whether to ask the store now: from half of a block on, once at a time. After it, `reserved` or `failed` is due.
    mutating func shouldReserve(next: Int64) -> Bool {
        guard !isAsking, next >= limit - count / 2 else { return false }
        isAsking = true
        return true
    }

    mutating func reserved(first: Int64) {
        isAsking = false
        limit = max(limit, Self.adding(first, count))
    }

    /// It is tried again at the next segment. Should the numbers run out meanwhile they go on unreserved: a viewer who
    /// watches now is worth more than one who might see a number twice after a restart.
    mutating func failed() {
        isAsking = false
    }

    private static func adding(_ first: Int64, _ count: Int64) -> Int64 {
        let (sum, overflow) = first.addingReportingOverflow(count)
        return overflow ? .max : sum
    }
}

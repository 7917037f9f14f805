import NIOCore

/// A bucket of credits that keeps a peer from causing much decoding with few bytes.
///
/// Every chunk costs one credit, and so does every part of an aggregate message and every track of a message of several.
/// Credits come back with payload bytes (one for every 64) and with time (2,000 a second), up to a store of 16,384. A client with RTMP's default 128-byte chunks earns
/// two credits with each full chunk, and its short ones (the end of a message, a small audio frame) come a few hundred times
/// a second, so it never gets near; one-byte chunks are cut off after 16,384 of them.
public struct DecodeBudget: Sendable, Hashable {
    /// The bucket's measures.
    public struct Limits: Sendable, Hashable {
        /// Credits the bucket holds at most, and at the start. Default 16,384.
        public var capacity = 16_384
        /// Payload bytes that earn one credit. Default 64.
        public var bytesPerCredit = 64
        /// Credits earned in a second of waiting. Default 2,000.
        public var creditsPerSecond = 2_000

        public init() {}
    }

    private let bytesPerCredit: Int64
    private let creditsPerSecond: Int64
    private let capacity: Int64
    /// In payload bytes, so that the hot path neither divides nor loses fractions.
    private var balance: Int64
    private var lastRefill: NIODeadline?

    init(_ limits: Limits) {
        bytesPerCredit = Int64(max(1, min(limits.bytesPerCredit, 1_048_576)))
        creditsPerSecond = Int64(max(0, min(limits.creditsPerSecond, 1_000_000)))
        capacity = Int64(max(1, min(limits.capacity, 1_000_000_000))) &* bytesPerCredit
        balance = capacity
    }

    /// Adds what the time since the last call has earned.
    mutating func refill(now: NIODeadline) {
        defer { lastRefill = now }
        guard let lastRefill, now > lastRefill else { return }
        // At most an hour counts, so the products below stay under 2⁶³: 3.6e6 × 1e6 × 2²⁰ = 3.8e18.
        let elapsed = min((now - lastRefill).nanoseconds / 1_000_000, 3_600_000)
        balance = min(capacity, balance &+ elapsed &* creditsPerSecond &* bytesPerCredit / 1_000)
    }

    /// Pays for one chunk, or one part of a message, with `payload` bytes.
    /// - Returns: false when the bucket is empty.
    mutating func charge(payload: Int) -> Bool {
        // |balance| ≤ capacity + 2²⁴, far from overflow.
        balance = min(capacity, balance &+ Int64(payload) &- bytesPerCredit)
        return balance >= 0
    }
}

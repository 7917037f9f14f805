import Basics
import HLS
import Live
import NIOCore
import Synchronization

/// What HLS players get of one publication of a stream, from publish to unpublish. Its packager writes it; any thread
/// reads.
public final class StreamOutput: Sendable {
    public let address: StreamAddress
    /// Whose stream it is.
    let accountID: AccountID
    let meter: DeliveryMeter
    /// The hub's; timers run on it.
    let eventLoop: any EventLoop
    private let state = Mutex(State())

    fileprivate struct State {
        var published: PublishedPlaylist?
        var isEnded = false
        var numbers: SequenceNumbers?
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: UInt64 = 0
    }

    init(_ hub: StreamHub) {
        address = hub.address
        accountID = hub.accountID
        meter = hub.meter
        eventLoop = hub.eventLoop
    }

    /// The latest playlist; nil before the first segment.
    var current: PublishedPlaylist? {
        state.withLock { $0.published }
    }

    public var isEnded: Bool {
        state.withLock { $0.isEnded }
    }

    /// The newest segment's media sequence number; nil before the first segment.
    public var lastSequence: Int64? {
        current?.snapshot.listed.last?.sequence
    }

    /// The numbers of the segments as they stood at the end; nil before it.
    var numbers: SequenceNumbers? {
        state.withLock { $0.numbers }
    }

    /// Requests that wait for the first segment.
    var heldRequests: Int {
        state.withLock { $0.waiters.count }
    }

    /// Replaces the playlist, and answers the requests that wait for the first one.
    func publish(_ snapshot: PlaylistSnapshot) {
        let playlist = PublishedPlaylist(snapshot)
        let (replaced, waiters) = state.withLock { state in
            let replaced = state.published
            state.published = playlist
            return (replaced, state.takeWaiters())
        }
        // Segments that nobody holds any more are freed here and not inside the lock.
        withExtendedLifetime(replaced) {}
        for waiter in waiters { waiter.resume() }
    }

    /// Nothing more will be published.
    func end(numbers: SequenceNumbers) {
        let waiters = state.withLock { state in
            state.isEnded = true
            state.numbers = numbers
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// The latest playlist, or the first as soon as there is one.
    ///
    /// - Parameters:
    ///   - time: how long to wait for it.
    ///   - limit: how many may wait at once; one more is not kept waiting.
    /// - Returns: nil when there is none in time, or the stream ends before.
    func playlist(within time: TimeAmount, limit: Int) async -> PublishedPlaylist? {
        if let published = current { return published }
        await withCheckedContinuation { continuation in
            let id = state.withLock { $0.addWaiter(continuation, limit: limit) }
            guard let id else {
                continuation.resume()
                return
            }
            eventLoop.scheduleTask(in: time) { [weak self] in self?.releaseWaiter(id) }
        }
        return current
    }

    private func releaseWaiter(_ id: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
}

extension StreamOutput.State {
    fileprivate mutating func addWaiter(_ waiter: CheckedContinuation<Void, Never>, limit: Int) -> UInt64? {
        guard published == nil, !isEnded, waiters.count < limit else { return nil }
        lastWaiter &+= 1
        waiters[lastWaiter] = waiter
        return lastWaiter
    }

    fileprivate mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
        let taken = Array(waiters.values)
        waiters.removeAll()
        return taken
    }
}

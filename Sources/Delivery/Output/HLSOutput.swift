import HLS
import Live
import NIOCore
import Synchronization

/// What one life of a stream, from publish to unpublish, gives to HLS players. Its packager publishes; any thread reads.
public final class HLSOutput: Sendable {
    public let address: StreamAddress
    /// The hub's; timers run on it.
    let eventLoop: any EventLoop
    private let memory: MemoryBudget
    private let state = Mutex(State())

    fileprivate struct State {
        var published: PublishedPlaylist?
        var isEnded = false
        var numbering: Numbering?
        /// Bytes counted in the memory budget.
        var heldBytes = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: UInt64 = 0
    }

    /// Where another life of the stream may go on.
    struct Numbering: Sendable {
        var resume: ResumePoint
        /// The first number that is not reserved.
        var limit: Int64
    }

    init(address: StreamAddress, eventLoop: any EventLoop, memory: MemoryBudget) {
        self.address = address
        self.eventLoop = eventLoop
        self.memory = memory
    }

    deinit {
        memory.change(by: -state.withLock { $0.heldBytes })
    }

    /// The latest playlist; nil before the first segment.
    var current: PublishedPlaylist? {
        state.withLock { $0.published }
    }

    public var isEnded: Bool {
        state.withLock { $0.isEnded }
    }

    var numbering: Numbering? {
        state.withLock { $0.numbering }
    }

    /// Requests that wait for the first segment.
    var heldRequests: Int {
        state.withLock { $0.waiters.count }
    }

    /// - Parameter bytes: all that the snapshot's files hold.
    func publish(_ snapshot: PlaylistSnapshot, bytes: Int) {
        let playlist = PublishedPlaylist(snapshot)
        let (change, waiters) = state.withLock { state in
            state.published = playlist
            let change = bytes - state.heldBytes
            state.heldBytes = bytes
            return (change, state.takeWaiters())
        }
        memory.change(by: change)
        for waiter in waiters { waiter.resume() }
    }

    /// Nothing more will be published.
    func end(numbering: Numbering?) {
        let waiters = state.withLock { state in
            state.isEnded = true
            state.numbering = numbering
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

extension HLSOutput.State {
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

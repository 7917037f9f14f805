import HLS
import NIOCore
import Synchronization

/// The requests that wait for what a stream brings next: a first playlist, a segment, a part. One list for each output; when
/// something is published, each event loop is woken once for all of its requests.
final class HeldRequests: Sendable {
    /// What a request waits for.
    enum Need: Sendable {
        case firstPlaylist
        case playlist(PlaylistDirectives)
        case file(MediaFileName)
        /// More parts of a segment than so many, or its end.
        case partOf(Int64, after: Int)

        /// - Parameter playlist: nil: there is none yet.
        func isMet(by playlist: PublishedPlaylist?) -> Bool {
            guard let snapshot = playlist?.snapshot else { return false }
            return switch self {
            case .firstPlaylist: true
            case .playlist(let directives): snapshot.readiness(for: directives) != .waits
            case .file(let name): !snapshot.isHint(name)
            case .partOf(let sequence, let count):
                snapshot.parts(of: sequence).map { $0.isWhole || $0.list.count > count } ?? true
            }
        }

        /// Parts go out first: they are what is watched.
        fileprivate var isFile: Bool {
            switch self {
            case .file, .partOf: true
            case .firstPlaylist, .playlist: false
            }
        }
    }

    private struct Waiter: Sendable {
        let need: Need
        let loop: any EventLoop
        let deadline: NIODeadline
        /// Called on `loop`.
        let resume: @Sendable () -> Void
    }

    /// Those of one event loop who are woken at once.
    private struct Group: Sendable {
        let loop: any EventLoop
        private(set) var files: [@Sendable () -> Void] = []
        private(set) var playlists: [@Sendable () -> Void] = []

        init(of waiter: Waiter) {
            loop = waiter.loop
            add(waiter)
        }

        mutating func add(_ waiter: Waiter) {
            if waiter.need.isFile { files.append(waiter.resume) } else { playlists.append(waiter.resume) }
        }
    }

    private struct State: Sendable {
        var waiters: [UInt64: Waiter] = [:]
        var last: UInt64 = 0
        var hasTimer = false
        var isEnded = false
    }

    private let state = Mutex(State())
    /// Timers run on it.
    private let eventLoop: any EventLoop

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    var count: Int {
        state.withLock { $0.waiters.count }
    }

    /// Keeps a request until its need is met, for some time at most.
    ///
    /// - Parameters:
    ///   - limit: how many may wait at once.
    ///   - current: the playlist there is, looked at once more now that whatever follows it is noticed.
    ///   - resume: called once, on `loop`, unless the request is let go of: later, or at once when it need not wait.
    /// - Returns: what `letGo` wants to know; nil when the request is not kept.
    @discardableResult
    func add(
        _ need: Need, on loop: any EventLoop, for time: TimeAmount, limit: Int,
        current: () -> PublishedPlaylist?, resume: @escaping @Sendable () -> Void
    ) -> UInt64? {
        let waiter = Waiter(need: need, loop: loop, deadline: eventLoop.now + time, resume: resume)
        let (id, startsTimer) = state.withLock { state -> (UInt64?, Bool) in
            guard !state.isEnded, state.waiters.count < limit else { return (nil, false) }
            state.last &+= 1
            state.waiters[state.last] = waiter
            defer { state.hasTimer = true }
            return (state.last, !state.hasTimer)
        }
        guard let id else {
            loop.execute(resume)
            return nil
        }
        if startsTimer { startTimer(at: waiter.deadline) }
        // What was published between the look that found nothing and now has woken nobody.
        if need.isMet(by: current()), state.withLock({ $0.waiters.removeValue(forKey: id) }) != nil {
            loop.execute(resume)
        }
        return id
    }

    /// The request's connection is gone.
    func letGo(_ id: UInt64) {
        _ = state.withLock { $0.waiters.removeValue(forKey: id) }
    }

    /// Wakes the requests whose need is met.
    func published(_ playlist: PublishedPlaylist) {
        wake { $0.need.isMet(by: playlist) }
    }

    /// Wakes all: nothing more will come from this process.
    func letAllGo() {
        wake { _ in true }
    }

    /// Wakes all: nothing more will come.
    func end() {
        state.withLock { $0.isEnded = true }
        wake { _ in true }
    }

    private func wake(_ isDue: (Waiter) -> Bool) {
        // Taken out whole, so that nobody who comes meanwhile waits for the look at each.
        let waiters = state.withLock { state in
            let waiters = state.waiters
            state.waiters = [:]
            return waiters
        }
        var rest: [UInt64: Waiter] = [:]
        var loops: [Group] = []
        for (id, waiter) in waiters {
            guard isDue(waiter) else {
                rest[id] = waiter
                continue
            }
            if let index = loops.firstIndex(where: { $0.loop === waiter.loop }) {
                loops[index].add(waiter)
            } else {
                loops.append(Group(of: waiter))
            }
        }
        if !rest.isEmpty {
            state.withLock { state in
                if state.waiters.isEmpty {
                    state.waiters = rest
                } else {
                    state.waiters.merge(rest) { _, old in old }
                }
            }
        }
        for group in loops {
            group.loop.execute {
                for resume in group.files { resume() }
                for resume in group.playlists { resume() }
            }
        }
    }

    /// One timer for all: it goes off when the first of those that wait now has waited long enough.
    private func startTimer(at deadline: NIODeadline) {
        eventLoop.scheduleTask(deadline: deadline) { [weak self] in self?.timeUp() }
    }

    private func timeUp() {
        let now = eventLoop.now
        wake { $0.deadline <= now }
        let next = state.withLock { state -> NIODeadline? in
            let next = state.waiters.values.lazy.map(\.deadline).min()
            state.hasTimer = next != nil
            return next
        }
        if let next { startTimer(at: next) }
    }
}

import NIOCore
import Synchronization

/// What the viewers of all streams ask of one event loop.
final class LoopLoad: Sendable {
    struct Reading: Sendable, Hashable {
        /// RTMP viewers that live on the event loop.
        var viewers = 0
        /// How late it runs what is due.
        var lag = TimeAmount.zero
    }

    private let viewers = Atomic<Int>(0)
    private let lag = Atomic<Int64>(0)

    var reading: Reading {
        Reading(viewers: viewers.load(ordering: .relaxed), lag: .nanoseconds(lag.load(ordering: .relaxed)))
    }

    func countViewers(by change: Int) {
        viewers.wrappingAdd(change, ordering: .relaxed)
    }

    /// Something that was due so long ago runs now. Peaks fade within a few observations.
    func observe(lag observed: TimeAmount) {
        let before = lag.load(ordering: .relaxed)
        lag.store(before + (observed.nanoseconds - before) / 4, ordering: .relaxed)
    }
}

/// The loads of all event loops, shared by the hubs of a stage.
final class LoopLoads: Sendable {
    private let loads = Mutex<[ObjectIdentifier: LoopLoad]>([:])

    /// There are as many as event loops, and those stay.
    subscript(eventLoop: any EventLoop) -> LoopLoad {
        loads.withLock { loads in
            let id = ObjectIdentifier(eventLoop)
            if let load = loads[id] { return load }
            let load = LoopLoad()
            loads[id] = load
            return load
        }
    }
}

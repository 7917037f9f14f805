import Basics
import Live
import NIOCore
import Synchronization
import Usher

/// Who watches unprotected streams: everybody who has asked for a playlist in the last while, told apart by address.
/// An estimate: viewers behind one address or one cache count as one.
final class ViewerTable: Sendable {
    private let idleTime: TimeAmount
    private let maximum: Int
    private let state = Mutex(State())

    fileprivate struct State {
        var streams: [StreamAddress: [IPAddress: NIODeadline]] = [:]
        var count = 0
        var lastSweep = NIODeadline.uptimeNanoseconds(0)
    }

    init(idleTime: TimeAmount, maximum: Int) {
        self.idleTime = idleTime
        self.maximum = maximum
    }

    func note(_ viewer: IPAddress, of address: StreamAddress, now: NIODeadline) {
        state.withLock { state in
            if state.streams[address]?[viewer] == nil {
                if state.count >= maximum, !state.sweep(now: now, idleTime: idleTime, below: maximum) { return }
                state.count += 1
            }
            state.streams[address, default: [:]][viewer] = now
        }
    }

    func count(_ address: StreamAddress, now: NIODeadline) -> Int {
        state.withLock { $0.prune(address, now: now, idleTime: idleTime) }
    }
}

extension ViewerTable.State {
    fileprivate mutating func prune(_ address: StreamAddress, now: NIODeadline, idleTime: TimeAmount) -> Int {
        guard let viewers = streams[address] else { return 0 }
        let active = viewers.filter { now - $0.value < idleTime }
        count -= viewers.count - active.count
        streams[address] = active.isEmpty ? nil : active
        return active.count
    }

    /// At most once a second, since it walks the whole table. Whether there is room afterwards.
    fileprivate mutating func sweep(now: NIODeadline, idleTime: TimeAmount, below maximum: Int) -> Bool {
        guard now - lastSweep >= .seconds(1) else { return false }
        lastSweep = now
        for address in Array(streams.keys) {
            _ = prune(address, now: now, idleTime: idleTime)
        }
        return count < maximum
    }
}

import Basics
import Live
import NIOCore
import Synchronization
import Usher

/// Who watches unprotected streams: everybody who has asked for a playlist in the last while, told apart by address.
/// An estimate: viewers behind one address or one cache count as one.
///
/// Viewers who have become idle are let go of a few at a time, whenever another one is noted: so what is done under the lock
/// does not grow with the number of viewers, and the table does not keep viewers whom nobody asks about.
final class ViewerTable: Sendable {
    private let idleTime: TimeAmount
    private let maximum: Int
    private let state = Mutex(State())

    private struct Viewer: Hashable, Sendable {
        /// Of the stream in `names`: an address of three texts for each viewer would take several times the memory.
        var stream: UInt32
        var address: IPAddress
    }

    private struct Stream: Sendable {
        let number: UInt32
        var viewers = 0
    }

    private struct State: Sendable {
        var streams: [StreamAddress: Stream] = [:]
        var names: [UInt32: StreamAddress] = [:]
        private var lastNumber: UInt32 = 0
        /// When viewers become idle.
        var idle = DueQueue<Viewer, NIODeadline>()

        mutating func number(of address: StreamAddress) -> UInt32 {
            if let stream = streams[address] { return stream.number }
            // There are no more streams than viewers, so a number that has come round is free again before long.
            repeat { lastNumber &+= 1 } while names[lastNumber] != nil
            streams[address] = Stream(number: lastNumber)
            names[lastNumber] = address
            return lastNumber
        }

        /// Lets go of viewers who are idle, of so many at most.
        /// - Returns: how many there were.
        mutating func letGo(atMost maximum: Int, now: NIODeadline) -> Int {
            var count = 0
            while count < maximum, let viewer = idle.popFirst(notAfter: now) {
                count += 1
                guard let address = names[viewer.stream] else { continue }
                streams[address]?.viewers -= 1
                forgetIfEmpty(address)
            }
            return count
        }

        mutating func forgetIfEmpty(_ address: StreamAddress) {
            guard let stream = streams[address], stream.viewers <= 0 else { return }
            streams[address] = nil
            names[stream.number] = nil
        }
    }

    /// Each viewer noted lets go of so many at most, which is more than come.
    private static let stepOfNote = 2
    private static let stepOfCount = 128

    init(idleTime: TimeAmount, maximum: Int) {
        self.idleTime = idleTime
        self.maximum = maximum
    }

    func note(_ viewer: IPAddress, of address: StreamAddress, now: NIODeadline) {
        state.withLock { state in
            _ = state.letGo(atMost: ViewerTable.stepOfNote, now: now)
            let viewer = Viewer(stream: state.number(of: address), address: viewer)
            if state.idle.time(of: viewer) == nil {
                guard state.idle.count < maximum else {
                    state.forgetIfEmpty(address)
                    return
                }
                state.streams[address]?.viewers += 1
            }
            state.idle.set(viewer, now + idleTime)
        }
    }

    func count(_ address: StreamAddress, now: NIODeadline) -> Int {
        // One step at a time, so that viewers noted meanwhile do not wait for all of them.
        while state.withLock({ $0.letGo(atMost: ViewerTable.stepOfCount, now: now) }) == ViewerTable.stepOfCount {}
        return state.withLock { $0.streams[address]?.viewers ?? 0 }
    }

    /// Viewers remembered, idle ones included.
    var rememberedCount: Int {
        state.withLock { $0.idle.count }
    }
}

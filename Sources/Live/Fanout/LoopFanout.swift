import Basics
import NIOCore

/// The subscribers of one stream that live on one event loop, and that loop's view of the ring.
///
/// The hub sends each merged write once per event loop; here it goes to every subscriber of the loop with a write that
/// carries no promise, and one flush each. `FanoutMachine` decides who gets what.
///
/// `@unchecked Sendable`: the reference travels between hub and loop; everything mutable is touched on `eventLoop` alone.
final class LoopFanout: @unchecked Sendable {
    let eventLoop: any EventLoop
    let load: LoopLoad
    private let memory: MemoryBudget
    private let account: AccountID
    private var machine: FanoutMachine
    private var subscribers: [RTMPSubscriber] = []
    private var pushes = 0
    private var pushTimer: Scheduled<Void>?
    private var slowTimer: Scheduled<Void>?
    /// Copies made for subscribers that cannot take the shared bytes, of the writes that are being delivered.
    private var copies: [(key: CopyKey, copy: CountedCopy)] = []

    private struct CopyKey: Equatable {
        /// nil for the preamble of the join point at `time`.
        var sequence: Int64?
        var time: Int64 = 0
        var form: ChunkedMessages.Form
    }

    /// Copies that are kept for the next subscriber of the same form.
    private static let mostCopies = 8
    /// How often subscribers that can take nothing are looked at while no media comes.
    private static let slowInterval = TimeAmount.seconds(1)

    init(
        eventLoop: any EventLoop, load: LoopLoad, machine: FanoutMachine, memory: MemoryBudget, account: AccountID
    ) {
        self.eventLoop = eventLoop
        self.load = load
        self.machine = machine
        self.memory = memory
        self.account = account
    }

    deinit {
        pushTimer?.cancel()
        slowTimer?.cancel()
    }

    func add(_ subscriber: RTMPSubscriber) {
        eventLoop.assertInEventLoop()
        guard subscriber.membership.load(ordering: .acquiring) == .counted, subscriber.slot == nil else { return }
        subscriber.fanout = self
        subscriber.slot = subscribers.count
        subscribers.append(subscriber)
        count(subscriber, by: 1)
        pump(subscriber, now: eventLoop.now)
    }

    func remove(_ subscriber: RTMPSubscriber) {
        eventLoop.assertInEventLoop()
        guard let slot = subscriber.slot, slot < subscribers.count, subscribers[slot] === subscriber else { return }
        subscribers.swapAt(slot, subscribers.count - 1)
        subscribers.removeLast()
        if slot < subscribers.count {
            subscribers[slot].slot = slot
        }
        subscriber.slot = nil
        subscriber.fanout = nil
        count(subscriber, by: -1)
    }

    private func count(_ subscriber: RTMPSubscriber, by change: Int) {
        switch subscriber.role {
        case .viewer: load.countViewers(by: change)
        case .push: pushes += change
        }
    }

    /// - Parameters:
    ///   - oldest: the oldest write the hub still holds.
    ///   - sent: when the hub handed it over.
    func deliver(_ write: MergedWrite, oldest: Int64, sent: NIODeadline) {
        eventLoop.assertInEventLoop()
        load.observe(lag: .now() - sent)
        let now = eventLoop.now
        machine.append(write, oldest: oldest)
        copies.removeAll(keepingCapacity: true)
        var takesPushes = true
        if pushes > 0, let delay = machine.pushDelay(now: now) {
            takesPushes = false
            if pushTimer == nil {
                pushTimer = eventLoop.scheduleTask(in: delay) { [weak self] in self?.pumpPushes() }
            }
        }
        pumpAll(now: now) { takesPushes || $0.role == .viewer }
    }

    private func pumpAll(now: NIODeadline, where isMeant: (RTMPSubscriber) -> Bool) {
        // Backwards, because a subscriber that is let go takes its place out of the array.
        var index = subscribers.count - 1
        while index >= 0 {
            if index < subscribers.count, isMeant(subscribers[index]) { pump(subscribers[index], now: now) }
            index -= 1
        }
    }

    private func pumpPushes() {
        pushTimer?.cancel()
        pushTimer = nil
        let now = eventLoop.now
        _ = machine.pushDelay(now: now)
        pumpAll(now: now) { $0.role == .push }
    }

    /// A subscriber that takes nothing is judged by the clock as well, for media may not come: a stream waits for a
    /// publisher that was lost, and until it returns nothing else would close the subscriber.
    private func checkSlowLater() {
        guard slowTimer == nil else { return }
        slowTimer = eventLoop.scheduleTask(in: LoopFanout.slowInterval) { [weak self] in
            guard let self else { return }
            slowTimer = nil
            pumpAll(now: eventLoop.now) { !$0.isWritable }
        }
    }

    /// The stream is over: everybody goes.
    func end() {
        eventLoop.assertInEventLoop()
        if pushes > 0 { pumpPushes() }
        slowTimer?.cancel()
        let leaving = subscribers
        for subscriber in leaving { remove(subscriber) }
        machine.removeAll()
        copies.removeAll()
        for subscriber in leaving { subscriber.onEnd?(.streamEnded) }
    }

    /// Writes what the subscriber has not had and its channel can take.
    func pump(_ subscriber: RTMPSubscriber, now: NIODeadline) {
        guard subscriber.slot != nil else { return }
        var needsFlush = false
        var isTooSlow = false
        steps: while true {
            let isWritable = subscriber.isWritable
            let pressure = isWritable ? .none : memory.pressure(on: account)
            switch machine.next(&subscriber.cursor, isWritable: isWritable, now: now, pressure: pressure) {
            case .join(let point):
                subscriber.joined(at: point)
                write(point.preamble, key: (nil, point.time.nanoseconds), to: subscriber, flushes: false)
                needsFlush = true
                subscriber.onStart?()
            case .write(let merged, let isNewest):
                write(merged.messages, key: (merged.sequence, 0), to: subscriber, flushes: isNewest)
                needsFlush = !isNewest
                if isNewest { break steps }
            case .wait:
                if !isWritable { checkSlowLater() }
                break steps
            case .tooSlow:
                isTooSlow = true
                break steps
            }
        }
        if needsFlush { subscriber.flush() }
        if isTooSlow {
            remove(subscriber)
            subscriber.onEnd?(.tooSlow)
        }
    }

    private func write(_ messages: ChunkedMessages, key: (Int64?, Int64), to subscriber: RTMPSubscriber, flushes: Bool)
    {
        let form = subscriber.form
        if form.isShared {
            send(messages.bytes, promise: nil, to: subscriber, flushes: flushes)
        } else {
            write(messages, key: CopyKey(sequence: key.0, time: key.1, form: form), to: subscriber, flushes: flushes)
        }
    }

    private func send(
        _ bytes: ByteBuffer, promise: EventLoopPromise<Void>?, to subscriber: RTMPSubscriber, flushes: Bool
    ) {
        subscriber.wrote(bytes.readableBytes)
        subscriber.write(bytes, promise: promise, flushes: flushes)
    }

    /// A copy is made once for all who take the same form of the write being delivered, and counted until the last of them
    /// has it.
    private func write(_ messages: ChunkedMessages, key: CopyKey, to subscriber: RTMPSubscriber, flushes: Bool) {
        let copy: CountedCopy
        if let known = copies.first(where: { $0.key == key }) {
            copy = known.copy
        } else {
            copy = CountedCopy(messages.bytes(in: key.form), memory: memory, account: account)
            if copies.count >= LoopFanout.mostCopies { copies.removeFirst() }
            copies.append((key, copy))
        }
        guard copy.bytes.readableBytes > 0 else {
            if flushes { subscriber.flush() }
            return
        }
        let written = eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in withExtendedLifetime(copy) {} }
        send(copy.bytes, promise: written, to: subscriber, flushes: flushes)
    }
}

/// Bytes that were made for some subscribers, counted for as long as anybody holds them.
private final class CountedCopy: Sendable {
    let bytes: ByteBuffer
    private let memory: MemoryBudget
    private let account: AccountID

    init(_ bytes: ByteBuffer, memory: MemoryBudget, account: AccountID) {
        self.bytes = bytes
        self.memory = memory
        self.account = account
        memory.change(by: bytes.storageCapacity, account: account)
    }

    deinit {
        memory.change(by: -bytes.storageCapacity, account: account)
    }
}

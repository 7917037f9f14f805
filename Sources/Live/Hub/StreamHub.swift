import Basics
import Foundation
import Logging
import Media
import NIOCore

/// One stream on the stage: takes a publisher's samples and gives them to every subscriber.
///
/// It lives on one event loop, the first publisher's, and everybody else talks to it by messages (`Publication`, `Stage`,
/// `LoopFanout`). What happens is decided by `HubMachine`; here are the event loop, the timers, the clocks, and those
/// whom an action concerns.
///
/// `@unchecked Sendable`: references travel freely; all mutable state is touched on `eventLoop` alone, which the entry
/// points assert.
public final class StreamHub: @unchecked Sendable {
    /// Why a publisher is turned away.
    public enum Rejection: Error, Sendable, Hashable {
        /// Another one is still sending.
        case busy
        /// The stream ended while this one came; a fresh hub takes it.
        case ended
        /// Streams hold more memory than `limits.memory`.
        case outOfMemory
    }

    public let address: StreamAddress
    /// The account that owns the app.
    public let accountID: AccountID
    public let settings: HubSettings
    /// Counts what its viewers are sent.
    public let meter: DeliveryMeter
    public let eventLoop: any EventLoop
    let memory: MemoryBudget
    private let loads: LoopLoads
    private let logger: Logger
    /// Called once, on the event loop, when nothing more will come.
    private let onEnd: @Sendable (StreamHub, Publisher?) -> Void
    /// Called on the event loop when the other one of the stream's two encoders is on air.
    private let onSwitch: @Sendable (StreamHub, Publisher, SwitchCause) -> Void

    private var machine: HubMachine
    private var packagers: [any StreamPackager] = []
    private var fanouts: [ObjectIdentifier: Fanout] = [:]
    private var timers: [HubMachine.Timer: Scheduled<Void>] = [:]
    private var rejection: Rejection?
    /// What the machine holds, as counted in `memory`.
    private var counted = 0
    /// What is still to be carried out; kept, so that nothing is allocated for each message.
    private var actions: [HubMachine.Action] = []
    private var isActing = false

    /// The subscribers of one event loop, as many as the hub has counted.
    private struct Fanout {
        let loop: LoopFanout
        var subscribers: Int
    }

    init(
        address: StreamAddress, accountID: AccountID, settings: HubSettings, meter: DeliveryMeter = DeliveryMeter(),
        eventLoop: any EventLoop, memory: MemoryBudget, loads: LoopLoads = LoopLoads(), logger: Logger,
        onSwitch: @escaping @Sendable (StreamHub, Publisher, SwitchCause) -> Void = { _, _, _ in },
        onEnd: @escaping @Sendable (StreamHub, Publisher?) -> Void
    ) {
        self.address = address
        self.accountID = accountID
        self.settings = settings
        self.meter = meter
        self.eventLoop = eventLoop
        self.memory = memory
        self.loads = loads
        self.logger = logger
        self.onEnd = onEnd
        self.onSwitch = onSwitch
        machine = HubMachine(settings: settings)
    }

    deinit {
        memory.change(by: -counted, account: accountID)
    }

    /// Runs `body` on the hub's event loop: at once when already there.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop {
            body()
        } else {
            eventLoop.execute(body)
        }
    }

    // MARK: Publishing

    /// A publisher comes, or comes back, or takes over one that has fallen silent, or stands by as the stream's other encoder.
    func begin(_ publisher: Publisher) throws(Rejection) {
        rejection = nil
        handle(.publish(publisher))
        if let rejection { throw rejection }
    }

    /// One sample of the publisher with this id.
    func receive(_ sample: StreamSample, from id: UInt64) {
        handle(.sample(sample, from: id))
    }

    /// The bytes at hand are read.
    func readComplete() {
        handle(.readComplete)
    }

    /// The publisher is gone. Orderly: it said so; otherwise its connection broke.
    func end(_ id: UInt64, isOrderly: Bool) {
        handle(.unpublish(id, isOrderly: isOrderly))
    }

    /// Ends the stream for everybody, at once.
    /// - Parameter ending: what the publisher is told.
    /// - Returns: false when nothing was on air.
    @discardableResult
    func close(_ ending: PublisherEnding? = nil) -> Bool {
        let wasOnAir = machine.isOnAir
        handle(.close(ending))
        return wasOnAir
    }

    /// Asks the publisher for a keyframe of a video track. RTMP has no message for it: its encoders send one when they do.
    public func requestKeyframe(of track: TrackID = .video) {
        onLoop { self.machine.currentPublisher?.wantsKeyframe(track) }
    }

    // MARK: Subscribing

    /// Adds a packager; it gets everything from the next sample on.
    public func attach(_ packager: any StreamPackager) {
        onLoop {
            guard !self.isEnded else {
                packager.streamEnded()
                return
            }
            self.packagers.append(packager)
            if !self.tracks.isEmpty {
                packager.tracksChanged(self.tracks)
            }
        }
    }

    /// Adds a subscriber; it starts on the newest keyframe held, or on the next one to come.
    /// - Returns: false when the stream is not on air.
    public func attach(_ subscriber: RTMPSubscriber) async -> Bool {
        let attached = try? await eventLoop.submit { self.add(subscriber) }.get()
        return attached ?? false
    }

    func add(_ subscriber: RTMPSubscriber) -> Bool {
        guard isOnAir else { return false }
        // Its owner may have detached it already.
        let exchange = subscriber.membership.compareExchange(
            expected: .new, desired: .counted, ordering: .acquiringAndReleasing)
        guard exchange.exchanged else { return true }
        handle(.subscribe(subscriber.role))
        let loop = subscriber.channel.eventLoop
        var fanout =
            fanouts[ObjectIdentifier(loop)]
            ?? Fanout(
                loop: LoopFanout(
                    eventLoop: loop, load: loads[loop],
                    machine: FanoutMachine(ring: machine.ring, slowTimeout: TimeAmount(settings.slowViewerTimeout)),
                    memory: memory, account: accountID),
                subscribers: 0)
        fanout.subscribers += 1
        fanouts[ObjectIdentifier(loop)] = fanout
        if loop === eventLoop {
            fanout.loop.add(subscriber)
        } else {
            loop.execute { [fanout = fanout.loop] in fanout.add(subscriber) }
        }
        return true
    }

    /// Takes a subscriber off the stream. Called by its owner, on the subscriber's event loop.
    public func detach(_ subscriber: RTMPSubscriber) {
        let loop = subscriber.channel.eventLoop
        loop.assertInEventLoop()
        guard subscriber.membership.exchange(.left, ordering: .acquiringAndReleasing) == .counted else { return }
        subscriber.fanout?.remove(subscriber)
        let role = subscriber.role
        onLoop { self.left(role, on: ObjectIdentifier(loop)) }
    }

    private func left(_ role: RTMPSubscriber.Role, on loop: ObjectIdentifier) {
        handle(.unsubscribe(role))
        guard var fanout = fanouts[loop] else { return }
        fanout.subscribers -= 1
        fanouts[loop] = fanout.subscribers > 0 ? fanout : nil
    }

    // MARK: What it is

    var tracks: TrackSet { machine.tracks }
    var isEnded: Bool { machine.isEnded }
    var isOnAir: Bool { machine.isOnAir }
    /// Event loops that have subscribers of the stream.
    var fanoutCount: Int { fanouts.count }

    /// The stream as it stands; nil when nobody publishes or may return.
    public func report() async -> HubReport? {
        try? await eventLoop.submit { self.makeReport() }.get()
    }

    private func makeReport() -> HubReport? {
        guard let publisher = machine.currentPublisher else { return nil }
        let rates = machine.rates(now: .now())
        return HubReport(
            address: address, state: machine.isLive ? .live : .recovering, publisher: publisher.info,
            published: Date(timeIntervalSince1970: Double(machine.published) / 1_000),
            encoders: machine.publishers.enumerated().map { index, publisher in
                .init(role: publisher.role, info: publisher.info, isOnAir: index == 0)
            },
            tracks: machine.tracks, metadata: machine.metadata, metadataBody: machine.metadataBody,
            bitrate: rates.bitsPerSecond,
            frameRate: rates.framesPerSecond,
            viewers: machine.viewerCount, bytesReceived: machine.bytesReceived)
    }

    // MARK: The machine

    private func handle(_ event: HubMachine.Event) {
        eventLoop.assertInEventLoop()
        machine.handle(event, at: moment(of: event), into: &actions)
        // Whoever is told of an action may cause the next event; its actions come after those at hand.
        guard !isActing else { return }
        isActing = true
        var index = 0
        while index < actions.count {
            carryOut(actions[index])
            index += 1
        }
        actions.removeAll(keepingCapacity: true)
        isActing = false
        let held = machine.heldBytes
        if held != counted {
            memory.change(by: held - counted, account: accountID)
            counted = held
        }
    }

    private func moment(of event: HubMachine.Event) -> HubMachine.Moment {
        var moment = HubMachine.Moment(
            now: .now(), wallClock: Int64(Date().timeIntervalSince1970 * 1_000),
            pressure: memory.pressure(on: accountID))
        if case .readComplete = event {
            for fanout in fanouts.values {
                let reading = fanout.loop.load.reading
                moment.load.viewers = max(moment.load.viewers, reading.viewers)
                moment.load.lag = max(moment.load.lag, reading.lag)
            }
        }
        wallClock = moment.wallClock
        return moment
    }

    /// Of the event at hand.
    private var wallClock: Int64 = 0

    private func carryOut(_ action: HubMachine.Action) {
        switch action {
        case .sample(let sample, let age):
            for packager in packagers { packager.receive(sample, wallClock: wallClock - age) }
        case .deliver(let write, let oldest):
            deliver(write, oldest: oldest)
        case .setTimer(let timer, let delay):
            set(timer, after: delay)
        case .cancelTimer(let timer):
            timers.removeValue(forKey: timer)?.cancel()
        case .tracksChanged(let tracks):
            for packager in packagers { packager.tracksChanged(tracks) }
        case .discontinuity:
            for packager in packagers { packager.discontinuity() }
        case .publisherLost:
            for packager in packagers { packager.publisherLost() }
            logger.info(
                "publisher lost, waiting for it to return",
                metadata: ["stream": "\(address)", "seconds": "\(settings.reconnectWindow.components.seconds)"])
        case .switched(let publisher, let cause):
            logger.log(
                level: publisher.role == .primary ? .info : .warning, "\(publisher.role.rawValue) encoder on air",
                metadata: [
                    "stream": "\(address)", "address": "\(publisher.info.address)", "user": "\(publisher.info.user)",
                    "reason": "\(cause.rawValue)",
                ])
            onSwitch(self, publisher, cause)
        case .accept:
            break
        case .reject(let reason):
            rejection = reason
        case .disconnect(let publisher, let ending):
            publisher.disconnect(ending)
        case .wantKeyframe(let publisher):
            publisher.wantsKeyframe(.video)
        case .notUnderstood(let kind, let reason):
            logger.warning(
                "message not understood, passed on as it is",
                metadata: ["stream": "\(address)", "kind": "\(kind)", "error": "\(reason)"])
        case .ended(let last):
            end(last: last)
        }
    }

    private func deliver(_ write: MergedWrite, oldest: Int64) {
        let sent = NIODeadline.now()
        for fanout in fanouts.values.lazy.map(\.loop) {
            if fanout.eventLoop === eventLoop {
                fanout.deliver(write, oldest: oldest, sent: sent)
            } else {
                fanout.eventLoop.execute { fanout.deliver(write, oldest: oldest, sent: sent) }
            }
        }
    }

    private func set(_ timer: HubMachine.Timer, after delay: TimeAmount) {
        let due = NIODeadline.now() + delay
        timers[timer]?.cancel()
        timers[timer] = eventLoop.scheduleTask(in: delay) { [weak self] in
            guard let self else { return }
            self.timers[timer] = nil
            if timer == .flush { self.loads[self.eventLoop].observe(lag: max(.zero, .now() - due)) }
            self.handle(.timer(timer))
        }
    }

    private func end(last: Publisher?) {
        for timer in timers.values { timer.cancel() }
        timers.removeAll()
        for packager in packagers { packager.streamEnded() }
        packagers.removeAll()
        for fanout in fanouts.values {
            let loop = fanout.loop
            loop.eventLoop.execute { loop.end() }
        }
        fanouts.removeAll()
        onEnd(self, last)
    }
}

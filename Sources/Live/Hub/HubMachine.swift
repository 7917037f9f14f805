import Foundation
import Media
import NIOCore
import RTMP

/// One stream as a pure machine: events and the time they come at go in, actions come out.
///
/// It decides who may publish, which of its two encoders is on air, which tracks a publisher has and where its samples lie in
/// time, what is kept for subscribers and when it is written, and when the stream is over. `StreamHub` owns
/// its event loop and carries the actions out.
struct HubMachine {
    enum Timer: Hashable {
        /// What is gathered goes out.
        case flush
        /// The publisher has not returned.
        case recovery
    }

    enum Event {
        case publish(Publisher)
        /// Of the publisher with this id, at its own time.
        case sample(StreamSample, from: UInt64)
        /// What one read of the publisher's socket brought is all there.
        case readComplete
        /// - Parameter isOrderly: the publisher said so; otherwise its connection broke.
        case unpublish(UInt64, isOrderly: Bool)
        case timer(Timer)
        case subscribe(RTMPSubscriber.Role)
        case unsubscribe(RTMPSubscriber.Role)
        /// Ends the stream for everybody, at once.
        case close(PublisherEnding?)
    }

    /// The circumstances of an event.
    struct Moment {
        var now: NIODeadline
        /// Unix milliseconds.
        var wallClock: Int64
        var pressure = MemoryBudget.Pressure.none
        /// Of the event loops that the stream's subscribers live on, the busiest one.
        var load = LoopLoad.Reading()
    }

    enum Action {
        /// The publisher that just came has the stream.
        case accept
        case reject(StreamHub.Rejection)
        /// Sends a publisher away.
        case disconnect(Publisher, PublisherEnding)
        /// For packagers.
        case tracksChanged(TrackSet)
        /// - Parameter age: milliseconds since it came.
        case sample(StreamSample, age: Int64)
        case discontinuity
        case publisherLost
        /// Of the stream's two encoders this one is on air now.
        case switched(to: Publisher, SwitchCause)
        /// For subscribers; nothing before `oldest` is kept any longer.
        case deliver(MergedWrite, oldest: Int64)
        /// A subscriber has nothing to start on.
        case wantKeyframe(Publisher)
        /// Replaces the timer if it is set.
        case setTimer(Timer, after: TimeAmount)
        case cancelTimer(Timer)
        /// Said once a publisher.
        case notUnderstood(TrackID.Kind, reason: String)
        /// Nothing more comes.
        case ended(last: Publisher?)
    }

    private enum State {
        /// Made, with no publisher yet.
        case vacant
        case live(Live)
        /// The publisher dropped; it has until the deadline.
        case recovering(last: Publisher, until: NIODeadline)
        case ended

        struct Live {
            let publisher: Publisher
            let since: NIODeadline
            /// It has sent something.
            var hasSent = false
            /// What is left of its predecessor's time to return, in case this one sends nothing.
            var inherited: NIODeadline?
            var lastSample: NIODeadline
        }
    }

    /// Frames that refer to ones nobody has are left out until a keyframe, but not for ever: with intra refresh there may
    /// be none.
    private static let mostFramesWithoutKeyframe = 500
    /// A publisher's metadata is kept for reports up to this size, written out.
    static let mostMetadataBytes = 16 << 10

    private let settings: HubSettings
    private var state = State.vacant
    /// The stream's other encoder. There is one only while the stream is live.
    private var standby: StandbyEncoder?
    private var timeline = Timeline()
    private var watch = TrackWatch()
    private var headers = JoinHeaders()
    private var backlog: Backlog
    private var rate = RateMeter()
    /// Video tracks that have had their first keyframe of this publisher.
    private var startedVideo: [TrackID] = []
    private var framesWithoutKeyframe = 0
    private var hasSaidNotUnderstood = false
    private var isFlushSet = false
    private(set) var bytesReceived: Int64 = 0
    /// Unix milliseconds.
    private(set) var published: Int64 = 0
    private(set) var viewerCount = 0
    private(set) var pushCount = 0

    init(settings: HubSettings) {
        self.settings = settings
        backlog = Backlog(limits: settings.ring)
    }

    // MARK: What it is

    var tracks: TrackSet { watch.tracks }
    var ring: WriteRing { backlog.ring }
    /// What it holds in memory, by capacity.
    var heldBytes: Int { backlog.heldBytes + headers.heldBytes + (standby?.heldBytes ?? 0) }

    var isEnded: Bool {
        if case .ended = state { true } else { false }
    }

    var isLive: Bool {
        if case .live = state { true } else { false }
    }

    /// Somebody publishes, or may return.
    var isOnAir: Bool { currentPublisher != nil }

    /// The publisher, or the last one while it may return.
    var currentPublisher: Publisher? {
        switch state {
        case .live(let live): live.publisher
        case .recovering(let publisher, _): publisher
        case .vacant, .ended: nil
        }
    }

    /// The encoders that are connected, the one on air first.
    var publishers: [Publisher] {
        guard case .live(let live) = state else { return [] }
        return [live.publisher] + (standby.map { [$0.publisher] } ?? [])
    }

    /// The encoder's metadata, unless it is too large to report.
    var metadata: AMFValue? {
        guard case .metadata(let value)? = headers.metadata?.content, value.fits(in: HubMachine.mostMetadataBytes)
        else {
            return nil
        }
        return value
    }

    /// The message that the metadata came in, for those who pass it on: AMF0 from `onMetaData` on.
    var metadataBody: ByteBuffer? { headers.metadata?.body }

    func rates(now: NIODeadline) -> (bitsPerSecond: Int, framesPerSecond: Double) {
        rate.rates(now: MediaTime(now))
    }

    // MARK: Events

    /// Adds what has to be done to `actions`, in order. The caller keeps the array, so that nothing is allocated for each
    /// message.
    mutating func handle(_ event: Event, at moment: Moment, into actions: inout [Action]) {
        switch event {
        case .sample(let sample, let id):
            receive(sample, from: id, at: moment, into: &actions)
        case .readComplete:
            readComplete(at: moment, into: &actions)
        case .timer(.flush):
            isFlushSet = false
            flush(at: moment, into: &actions)
        case .timer(.recovery):
            if case .recovering = state { finish(at: moment, into: &actions) }
        case .publish(let publisher):
            publish(publisher, at: moment, into: &actions)
        case .unpublish(let id, let isOrderly):
            unpublish(id, isOrderly: isOrderly, at: moment, into: &actions)
        case .subscribe(let role):
            count(role, by: 1)
            if !backlog.canJoin, let currentPublisher { actions.append(.wantKeyframe(currentPublisher)) }
            backlog.subscribe()
        case .unsubscribe(let role):
            count(role, by: -1)
            backlog.unsubscribe()
        case .close(let ending):
            if let ending {
                for publisher in publishers { actions.append(.disconnect(publisher, ending)) }
            }
            finish(at: moment, into: &actions)
        }
    }

    private mutating func count(_ role: RTMPSubscriber.Role, by change: Int) {
        switch role {
        case .viewer: viewerCount += change
        case .push: pushCount += change
        }
    }

    // MARK: Publishers

    private mutating func publish(_ publisher: Publisher, at moment: Moment, into actions: inout [Action]) {
        var inherited: NIODeadline?
        switch state {
        case .vacant:
            published = moment.wallClock
        case .live(let current) where current.publisher.role != publisher.role:
            standBy(publisher, beside: current, at: moment, into: &actions)
            return
        case .live(let current):
            guard replace(current.publisher, lastSample: current.lastSample, by: publisher, at: moment, into: &actions)
            else { return }
            if standby?.isReady(at: moment.now, longestGap: longestGap) == true {
                actions.append(.accept)
                switchOver(.reconnected, at: moment, into: &actions)
                standby = StandbyEncoder(publisher, lastSample: moment.now)
                return
            }
            startOver(at: moment, into: &actions)
        case .recovering(_, let until):
            inherited = until
            actions.append(.cancelTimer(.recovery))
            startOver(at: moment, into: &actions)
        case .ended:
            actions.append(.reject(.ended))
            return
        }
        state = .live(.init(publisher: publisher, since: moment.now, inherited: inherited, lastSample: moment.now))
        actions.append(.accept)
    }

    /// Sends a publisher away whose place another one of the same role takes.
    /// - Returns: false when it is not silent enough for that.
    private func replace(
        _ current: Publisher, lastSample: NIODeadline, by publisher: Publisher, at moment: Moment,
        into actions: inout [Action]
    ) -> Bool {
        let silence = settings.takeoverAfter(of: current.info, by: publisher.info)
        guard moment.now - lastSample >= TimeAmount(silence) else {
            actions.append(.reject(.busy))
            return false
        }
        actions.append(.disconnect(current, .takenOver))
        return true
    }

    /// Keeps viewers and pushes, and makes ready for another encoder: its own headers, its own clock.
    private mutating func startOver(at moment: Moment, into actions: inout [Action]) {
        flush(at: moment, into: &actions)
        timeline.rebase()
        watch.reset()
        headers = JoinHeaders()
        startedVideo.removeAll()
        framesWithoutKeyframe = 0
        hasSaidNotUnderstood = false
    }

    private mutating func unpublish(
        _ id: UInt64, isOrderly: Bool, at moment: Moment, into actions: inout [Action]
    ) {
        if standby?.publisher.id == id { standby = nil }
        guard case .live(let live) = state, live.publisher.id == id else { return }
        flush(at: moment, into: &actions)
        var until: NIODeadline?
        if !live.hasSent {
            // It vanished while it was being let in: it does not prolong what its predecessor left, which may be nothing.
            until = live.inherited.flatMap { $0 > moment.now ? $0 : nil }
        } else if settings.reconnectWindow > .zero, !(isOrderly && settings.endsOnUnpublish) {
            until = moment.now + TimeAmount(settings.reconnectWindow)
        }
        if standby != nil {
            switchOver(isOrderly ? .ended : .lost, inherited: until, at: moment, into: &actions)
            standby = nil
            return
        }
        guard let until else {
            finish(at: moment, into: &actions)
            return
        }
        state = .recovering(last: live.publisher, until: until)
        actions.append(.publisherLost)
        actions.append(.setTimer(.recovery, after: until - moment.now))
    }

    private mutating func finish(at moment: Moment, into actions: inout [Action]) {
        guard !isEnded else { return }
        flush(at: moment, into: &actions)
        let last = currentPublisher
        state = .ended
        standby = nil
        backlog.removeAll()
        headers = JoinHeaders()
        actions.append(.cancelTimer(.recovery))
        actions.append(.ended(last: last))
    }

    // MARK: Two encoders

    /// The silence after which the encoder on air counts as gone.
    private var backupAfter: TimeAmount { TimeAmount(settings.backupAfter) }
    /// Without a frame for longer the other encoder is not steady.
    private var longestGap: TimeAmount { .nanoseconds(backupAfter.nanoseconds / 2) }

    /// The other encoder comes. It is kept ready, unless the one on air is gone and nobody knows.
    private mutating func standBy(
        _ publisher: Publisher, beside live: State.Live, at moment: Moment, into actions: inout [Action]
    ) {
        if let former = standby {
            guard replace(former.publisher, lastSample: former.lastSample, by: publisher, at: moment, into: &actions)
            else { return }
        }
        standby = StandbyEncoder(publisher, lastSample: moment.now)
        actions.append(.accept)
        if silence(of: live, at: moment.now) >= backupAfter { switchOver(.silent, at: moment, into: &actions) }
    }

    /// How long the encoder on air has sent no access unit.
    private func silence(of live: State.Live, at now: NIODeadline) -> TimeAmount {
        now - max(live.since, timeline.lastArrival)
    }

    /// A sample of the encoder that is not on air: only now something may be there to go on with.
    private mutating func keep(
        _ sample: StreamSample, from id: UInt64, at moment: Moment, into actions: inout [Action]
    ) {
        guard standby?.publisher.id == id, case .live(let live) = state else { return }
        bytesReceived &+= Int64(sample.byteCount)
        let circumstances = StandbyEncoder.Circumstances(
            now: moment.now, lastOnAir: timeline.lastArrival,
            longestGap: longestGap, limit: settings.ring.bytes,
            pressure: moment.pressure)
        let mayStart = standby?.take(sample, circumstances) ?? false
        let steadiness = standby?.steadiness(at: moment.now) ?? .zero
        // The silence is believed if this one was heard all the time: it may be the server that was busy.
        if min(silence(of: live, at: moment.now), steadiness) >= backupAfter {
            switchOver(.silent, at: moment, into: &actions)
        } else if mayStart, standby?.publisher.role == .primary, steadiness >= TimeAmount(settings.primaryAfter) {
            switchOver(.recovered, at: moment, into: &actions)
        }
    }

    /// Puts the other encoder on air, and the one before in its place.
    /// - Parameter inherited: when the stream would end if it had no other encoder.
    private mutating func switchOver(
        _ cause: SwitchCause, inherited: NIODeadline? = nil, at moment: Moment, into actions: inout [Action]
    ) {
        guard case .live(let former) = state, let successor = standby else { return }
        // With a predecessor that is well, nothing is missing at the newest keyframe, and nothing is shown twice.
        let isSeamless = cause == .recovered && silence(of: former, at: moment.now) <= .milliseconds(500)
        var (joined, kept) = successor.continuation(fromNewest: isSeamless)
        // What it sent before it fell silent itself is the past.
        if !successor.isReady(at: moment.now, longestGap: longestGap) { kept = [] }
        let formerHeaders = headers
        startOver(at: moment, into: &actions)
        timeline.switchOver(
            latest: successor.latest?.time, arrival: successor.latest?.arrival ?? moment.now)
        standby = StandbyEncoder(former.publisher, lastSample: former.lastSample, headers: formerHeaders)
        state = .live(
            .init(
                publisher: successor.publisher, since: moment.now, hasSent: !kept.isEmpty, inherited: inherited,
                lastSample: successor.lastSample))
        actions.append(.switched(to: successor.publisher, cause))
        if kept.isEmpty { actions.append(.wantKeyframe(successor.publisher)) }
        for header in joined { pass(header, arrival: moment.now, at: moment, into: &actions) }
        for sample in kept { pass(sample.sample, arrival: sample.arrival, at: moment, into: &actions) }
        flush(at: moment, into: &actions)
    }

    // MARK: Samples

    private mutating func receive(
        _ sample: StreamSample, from id: UInt64, at moment: Moment, into actions: inout [Action]
    ) {
        guard note(sample, from: id, at: moment) else {
            keep(sample, from: id, at: moment, into: &actions)
            return
        }
        rate.add(
            bytes: sample.byteCount, isFrame: sample.isVideoFrame && sample.track.isDefault, now: MediaTime(moment.now))
        pass(sample, arrival: moment.now, at: moment, into: &actions)
    }

    /// Gives a sample of the encoder on air its place, and passes it on.
    private mutating func pass(
        _ sample: StreamSample, arrival: NIODeadline, at moment: Moment, into actions: inout [Action]
    ) {
        if case .unreadable(let reason, _) = sample.content, !hasSaidNotUnderstood {
            // It passes through untouched; only packagers miss it. Each one said would flood the log.
            hasSaidNotUnderstood = true
            actions.append(.notUnderstood(sample.track.kind, reason: reason))
        }
        var verdict = Timeline.Verdict.continuous
        var time = timeline.presentTime(for: sample.time)
        if case .accessUnit = sample.content {
            let placement = timeline.place(sample.time, of: sample.track, now: arrival)
            verdict = placement.verdict
            time = placement.time
        }
        guard verdict != .early else { return }
        if verdict == .jump { actions.append(.discontinuity) }
        var sample = sample
        sample.move(to: time)
        headers.observe(sample)
        if let changed = watch.observe(sample) { actions.append(.tracksChanged(changed)) }
        if verdict != .straggler {
            actions.append(.sample(sample, age: (moment.now - arrival).nanoseconds / 1_000_000))
        }
        guard isDecodable(sample) else { return }
        if let write = backlog.append(sample, joinHeaders: joinHeaders(for: sample), pressure: moment.pressure) {
            deliver(write, into: &actions)
        }
    }

    /// Whether the sample comes from the publisher there is.
    private mutating func note(_ sample: StreamSample, from id: UInt64, at moment: Moment) -> Bool {
        guard case .live(var live) = state, live.publisher.id == id else { return false }
        live.lastSample = moment.now
        live.hasSent = true
        state = .live(live)
        bytesReceived &+= Int64(sample.byteCount)
        return true
    }

    /// False for video frames before the first keyframe of their track: they refer to ones that nobody has.
    private mutating func isDecodable(_ sample: StreamSample) -> Bool {
        guard sample.isVideoFrame, !startedVideo.contains(sample.track) else { return true }
        if !sample.isVideoKeyframe {
            framesWithoutKeyframe += 1
            guard framesWithoutKeyframe > HubMachine.mostFramesWithoutKeyframe else { return false }
        }
        if startedVideo.count < TrackWatch.mostTracks {
            startedVideo.append(sample.track)
            startedVideo.sort()
        }
        return true
    }

    /// What a subscriber needs that starts with this sample; nil when none may: without video any audio frame will do, else
    /// a keyframe of the first video track.
    private func joinHeaders(for sample: StreamSample) -> JoinHeaders? {
        if watch.hasVideo {
            return sample.isVideoKeyframe && sample.track == startedVideo.first ? headers : nil
        }
        guard case .accessUnit = sample.content else { return nil }
        return headers
    }

    // MARK: Writes

    private mutating func readComplete(at moment: Moment, into actions: inout [Action]) {
        guard backlog.hasPending, viewerCount + pushCount > 0 else { return }
        let interval = FlushPolicy.interval(
            viewers: viewerCount, load: moment.load, latency: TimeAmount(settings.latency))
        guard let interval else {
            flush(at: moment, into: &actions)
            return
        }
        guard !isFlushSet else { return }
        isFlushSet = true
        actions.append(.setTimer(.flush, after: interval))
    }

    private mutating func flush(at moment: Moment, into actions: inout [Action]) {
        if let write = backlog.seal(pressure: moment.pressure) { deliver(write, into: &actions) }
        cancelFlush(into: &actions)
    }

    private mutating func deliver(_ write: MergedWrite, into actions: inout [Action]) {
        actions.append(.deliver(write, oldest: backlog.ring.oldestSequence))
        cancelFlush(into: &actions)
    }

    private mutating func cancelFlush(into actions: inout [Action]) {
        guard isFlushSet else { return }
        isFlushSet = false
        actions.append(.cancelTimer(.flush))
    }
}

extension MediaTime {
    /// A time of the event loops' steady clock.
    init(_ deadline: NIODeadline) {
        self.init(nanoseconds: Int64(clamping: deadline.uptimeNanoseconds))
    }
}

extension AMFValue {
    /// Whether it takes no more than so many bytes when it is written out. Looks no further than that, for references let a
    /// small message name a long text thousands of times.
    func fits(in bytes: Int) -> Bool {
        var left = bytes
        return takes(from: &left)
    }

    private func takes(from left: inout Int) -> Bool {
        left -= 16
        guard left >= 0 else { return false }
        switch self {
        case .number, .boolean, .null, .undefined, .date: return true
        case .string(let text), .xml(let text):
            left -= text.utf8.count
            return left >= 0
        case .byteArray(let bytes):
            left -= bytes.readableBytes
            return left >= 0
        case .strictArray(let values):
            return values.allSatisfy { $0.takes(from: &left) }
        case .object(let object), .ecmaArray(let object), .typedObject(_, let object):
            return object.members.allSatisfy { member in
                left -= member.name.utf8.count
                return member.value.takes(from: &left)
            }
        }
    }
}

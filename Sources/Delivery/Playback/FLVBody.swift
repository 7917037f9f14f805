import Admission
import Live
import Media
import NIOCore
import Synchronization
import Usher

/// A stream as an FLV file that does not end (HTTP-FLV): an RTMP subscriber that writes tags. It joins at a keyframe, goes on at a
/// newer one when it is slow, and is closed when it stays behind, by the same rules as RTMP viewers.
///
/// `@unchecked Sendable`: what is not in the mutex is touched on the connection's event loop alone, from `start` on.
final class FLVBody: StreamedBody, @unchecked Sendable {
    private enum Phase {
        case new
        /// - Parameter session: what `Admissions` knows the viewer by.
        case admitted(session: String)
        case ended
    }

    private struct State {
        var phase = Phase.new
        var loop: (any EventLoop)?
    }

    let isChunked = false
    private let hub: StreamHub
    private let admission: any ViewerAdmission
    private let log: LogLimiter
    private let hasVideo: Bool
    private let hasAudio: Bool
    private let state = Mutex(State())
    private var client = ""

    private var sink: HTTPBodySink?
    private var subscriber: RTMPSubscriber?
    private var session: String?
    private var counted: Int64 = 0
    private var stripe = 0
    private var counting: RepeatedTask?

    private static let countInterval = TimeAmount.seconds(2)

    init(hub: StreamHub, tracks: TrackSet, admission: any ViewerAdmission, log: LogLimiter) {
        self.hub = hub
        self.admission = admission
        self.log = log
        // Players wait for what the header announces. Where nothing is known yet, both may come.
        hasVideo = tracks.isEmpty || tracks.video != nil
        hasAudio = tracks.isEmpty || tracks.audio != nil
    }

    /// Lets the viewer in.
    /// - Returns: the reply with this body; nil when he is refused.
    func reply(to facts: ViewerFacts, isOpen: Bool, isHead: Bool) async throws -> PlaybackReply? {
        var reply = PlaybackReply(.ok, nil)
        reply.add("Content-Type", "video/x-flv")
        reply.add("Cache-Control", CachePolicy.never.headerValue)
        if isHead {
            // It shows nothing, and charges nothing.
            guard !isOpen else { return reply }
            return try await admission.offer(facts).grant == nil ? nil : reply
        }
        let verdict = try await admission.admit(connection: facts, account: hub.accountID) { _ in self.revoke() }
        guard let session = verdict.grant else { return nil }
        client = facts.address
        state.withLock { $0.phase = .admitted(session: session) }
        reply.stream = self
        return reply
    }

    /// On any thread: the viewer may no longer watch.
    private func revoke() {
        guard let loop = state.withLock({ $0.loop }) else {
            // It is noticed when it starts.
            return
        }
        loop.execute { self.sink?.cut() }
    }

    func start(_ sink: HTTPBodySink) {
        let loop = sink.channel.eventLoop
        let session = state.withLock { state -> String? in
            state.loop = loop
            guard case .admitted(let session) = state.phase else { return nil }
            return session
        }
        self.sink = sink
        guard let session, admission.isRunning(session) else {
            loop.execute { sink.cut() }
            return
        }
        self.session = session
        stripe = DeliveryMeter.stripe(of: loop)
        let subscriber = RTMPSubscriber(role: .viewer, channel: sink.channel, format: .flv, output: sink)
        subscriber.onEnd = { [weak self] ending in self?.ended(ending) }
        self.subscriber = subscriber
        hub.meter.countConnections(http: 1)
        log.log(.info, "viewer admitted", address: client, lines: 1_000, ["stream": "\(hub.address)"])
        // Version 1, which kinds there are, the header's length, and a tag before the first one that has none.
        let kinds: UInt8 = (hasVideo ? 1 : 0) | (hasAudio ? 4 : 0)
        let header = ByteBuffer(bytes: Array("FLV".utf8) + [1, kinds, 0, 0, 0, 9, 0, 0, 0, 0])
        count(header.readableBytes)
        sink.write(header)
        counting = loop.scheduleRepeatedTask(initialDelay: Self.countInterval, delay: Self.countInterval) {
            [weak self] _ in self?.countSent()
        }
        Task { [hub] in
            if await !hub.attach(subscriber) { loop.execute { self.ended(.streamEnded) } }
        }
    }

    func writabilityChanged() {
        subscriber?.writabilityChanged()
    }

    func cancel() {
        let phase = state.withLock { state in
            defer { state.phase = .ended }
            return state.phase
        }
        guard case .admitted(let session) = phase else { return }
        if let subscriber {
            countSent()
            counting?.cancel()
            hub.meter.countConnections(http: -1)
            hub.detach(subscriber)
        }
        subscriber = nil
        sink = nil
        close(session)
    }

    private func ended(_ ending: RTMPSubscriber.Ending) {
        switch ending {
        case .streamEnded: sink?.end()
        case .tooSlow:
            log.log(.info, "viewer too slow, closed", address: client)
            sink?.cut()
        }
    }

    /// Tells what was sent since the last time.
    private func countSent() {
        guard let subscriber else { return }
        let bytes = subscriber.statistics.bytes
        count(Int(bytes - counted))
        counted = bytes
    }

    private func count(_ bytes: Int) {
        guard let session else { return }
        admission.sent(bytes, session: session)
        hub.meter.count(hls: bytes, stripe: stripe)
    }

    private func close(_ session: String) {
        Task { [admission] in await admission.close(session) }
    }
}

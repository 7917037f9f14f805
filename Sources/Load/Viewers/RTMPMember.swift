import Basics
import NIOCore
import RTMP

/// One RTMP viewer that plays and throws away, or one publisher that sends a recording in real time, over and over.
///
/// A viewer's session is real until it plays; then bytes are only counted, so that the load on the machine is the server's.
///
/// `@unchecked Sendable`: touched on its channel's event loop alone.
final class RTMPMember: ChannelInboundHandler, LoadMember, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: LoadRun
    private let meter: LoadMeter
    private let recording: Recording?
    private var session: ClientSession
    private let begun: NIODeadline
    private var context: ChannelHandlerContext?
    private(set) var state = MemberState.starting
    private var silence: Silence
    /// The recording's next message.
    private var next = 0
    /// What is added to the recording's times: it grows with every round.
    private var base: UInt32 = 0
    private var sendingSince: NIODeadline
    private let url: RTMPURL
    /// A publisher that the server has asked to connect anew, and that is not publishing again.
    private var isAway = false

    /// - Parameter recording: what a publisher sends; nil for a viewer.
    init(url: RTMPURL, recording: Recording?, run: LoadRun, meter: LoadMeter) {
        self.run = run
        self.meter = meter
        self.recording = recording
        self.url = url
        begun = run.clock()
        silence = Silence(now: begun)
        sendingSince = begun
        session = Self.session(url, isPublisher: recording != nil, now: begun)
    }

    private static func session(_ url: RTMPURL, isPublisher: Bool, now: NIODeadline) -> ClientSession {
        var configuration = ClientConfiguration(purpose: isPublisher ? .publish : .play, url: url)
        // Says that it connects anew when it is asked to.
        configuration.profile.isEnhanced = isPublisher
        return ClientSession(configuration: configuration, now: now)
    }

    var isLowLatency: Bool { false }
    var stalls: Int { silence.stalls }
    var stalledTime: TimeAmount { silence.time(run.clock()) }
    var isStalled: Bool { silence.isStalled }

    func sweep(_ now: NIODeadline) {
        switch state {
        case .starting:
            if let error = session.expired(now: now) { end(error.message) }
        case .running where isAway:
            if let error = session.expired(now: now) { end(error.message) }
        case .running where recording != nil:
            sendWhatIsDue(now)
        case .running:
            silence.look(now)
        case .finished, .gone:
            break
        }
    }

    func leave() {
        if recording != nil, state == .running, !isAway, let context {
            // So that the stream ends now, and nobody waits for us.
            session.stop()
            flush(context)
        }
        context?.close(promise: nil)
    }

    /// - Parameter problem: why it has not what it came for.
    func end(_ problem: String) {
        guard !state.isOver else { return }
        state = .gone
        run.ended(self, problem: problem, meter: meter)
        context?.close(promise: nil)
    }

    // MARK: Connection

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        flush(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A connection that was left has nothing to say any more.
        guard context === self.context else { return }
        let bytes = unwrapInboundIn(data)
        if recording == nil {
            meter.bytes += bytes.readableBytes
            silence.end(run.clock())
            // What plays is only counted.
            guard state == .starting else { return }
        }
        do {
            try session.receive(bytes, now: run.clock())
            while context === self.context, let event = try session.nextEvent() { handle(event) }
        } catch {
            end(error.message)
        }
        if context === self.context { flush(context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard context === self.context else { return }
        self.context = nil
        end("the connection was closed")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard context === self.context else { return context.close(promise: nil) }
        end(SystemError.text(of: error))
        context.close(promise: nil)
    }

    private func handle(_ event: ClientEvent) {
        switch event {
        case .media where state == .starting, .publishing where state == .starting:
            state = .running
            sendingSince = run.clock()
            meter.start.add(sendingSince - begun)
            if recording != nil { sendWhatIsDue(sendingSince) }
        case .publishing where isAway:
            isAway = false
            resume(run.clock())
        case .reconnectRequested(let tcURL) where recording != nil:
            reconnect(to: tcURL)
        case .refused(let status), .closed(let status):
            end(status.description.isEmpty ? status.code : status.description)
        default:
            break
        }
    }

    /// The server goes, or wants us elsewhere: to the same stream there, if we know the server.
    private func reconnect(to tcURL: String?) {
        var url = url
        if let tcURL {
            guard let other = try? RTMPURL("\(tcURL)/\(url.stream)") else {
                return end("asked to connect to \(tcURL.cut())")
            }
            url = other
        }
        let old = context
        context = nil
        old?.close(promise: nil)
        isAway = true
        session = Self.session(url, isPublisher: true, now: run.clock())
        run.connect(to: url.host, url.port, tls: url.isTLS, handler: self) { self.end($0) }
    }

    /// Goes on with the newest keyframe that is due, and what has come since: viewers are to have something at once.
    private func resume(_ now: NIODeadline) {
        guard let recording else { return }
        let elapsed = UInt32(clamping: (now - sendingSince).nanoseconds / 1_000_000)
        while base &+ recording.duration <= elapsed { base &+= recording.duration }
        let start =
            recording.starts.last { base &+ recording.messages[$0].timestamp <= elapsed } ?? recording.starts.first ?? 0
        let timestamp = base &+ recording.messages[start].timestamp
        for index in recording.headers {
            session.send(recording.messages[index].type, timestamp: timestamp, body: recording.messages[index].body)
        }
        next = start
        sendWhatIsDue(now)
    }

    private func flush(_ context: ChannelHandlerContext) {
        guard let output = session.takeOutput() else { return }
        if recording != nil { meter.bytes += output.readableBytes }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }

    private func sendWhatIsDue(_ now: NIODeadline) {
        guard let recording, let context else { return }
        // A server that takes nothing is not filled up with what it will never take.
        guard context.channel.isWritable else { return }
        let elapsed = UInt32(clamping: (now - sendingSince).nanoseconds / 1_000_000)
        while true {
            let message = recording.messages[next]
            let timestamp = base &+ message.timestamp
            guard timestamp <= elapsed else { break }
            session.send(message.type, timestamp: timestamp, body: message.body)
            next += 1
            if next == recording.messages.count {
                next = 0
                base &+= recording.duration
            }
        }
        flush(context)
    }
}

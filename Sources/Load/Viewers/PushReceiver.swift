import Basics
import NIOCore
import RTMP

/// The destination of one push: it lets in whoever publishes, counts what comes and throws it away.
///
/// `@unchecked Sendable`: touched on its channel's event loop alone.
final class PushReceiver: ChannelInboundHandler, LoadMember, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: LoadRun
    private let meter: LoadMeter
    private var session: ServerSession
    private let begun: NIODeadline
    private var context: ChannelHandlerContext?
    private var silence: Silence
    private(set) var state = MemberState.starting

    init(run: LoadRun, meter: LoadMeter) {
        self.run = run
        self.meter = meter
        begun = run.clock()
        silence = Silence(now: begun)
        session = ServerSession(configuration: ServerSession.Configuration(), now: begun)
    }

    var isLowLatency: Bool { false }
    var stalls: Int { silence.stalls }
    var stalledTime: TimeAmount { silence.time(run.clock()) }
    var isStalled: Bool { silence.isStalled }

    func sweep(_ now: NIODeadline) {
        if state == .starting, let error = session.expired(now: now) { end(error.message) }
        if state == .running { silence.look(now) }
    }

    func leave() {
        context?.close(promise: nil)
    }

    /// - Parameter problem: nil when the push ended in an orderly way.
    private func end(_ problem: String?) {
        guard !state.isOver else { return }
        state = problem == nil ? .finished : .gone
        run.ended(self, problem: problem, meter: meter)
        context?.close(promise: nil)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        run.came(self, meter: meter)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let now = run.clock()
        meter.bytes += bytes.readableBytes
        silence.end(now)
        do throws(RTMPError) {
            try session.receive(bytes, now: now)
            while let event = try session.nextEvent() { handle(event, now) }
        } catch {
            end(error.message)
        }
        if let output = session.takeOutput() { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
    }

    private func handle(_ event: ServerEvent, _ now: NIODeadline) {
        switch event {
        case .connectRequested: _ = session.acceptConnect()
        case .publishRequested(let request):
            _ = session.acceptPublish(streamID: request.streamID)
        case .playRequested(let request):
            session.refusePlay(
                streamID: request.streamID, code: "NetStream.Play.StreamNotFound",
                description: "Nothing is played here.")
        case .media where state == .starting:
            state = .running
            meter.start.add(now - begun)
        case .unpublished: end(nil)
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        end("the connection was closed")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(SystemError.text(of: error))
        context.close(promise: nil)
    }
}

/// How long and how often nothing has come.
struct Silence {
    private var last: NIODeadline
    private var total = TimeAmount.zero
    /// How often, the one that lasts included.
    private(set) var stalls = 0
    private(set) var isStalled = false

    /// Who has heard nothing for so long has run dry: this is what players keep at least.
    static let limit = TimeAmount.seconds(1)

    init(now: NIODeadline) {
        last = now
    }

    mutating func look(_ now: NIODeadline) {
        guard !isStalled, now - last > Self.limit else { return }
        isStalled = true
        stalls += 1
    }

    /// Something came.
    mutating func end(_ now: NIODeadline) {
        if isStalled { total = total + (now - last) }
        isStalled = false
        last = now
    }

    /// How long, the one that lasts included.
    func time(_ now: NIODeadline) -> TimeAmount {
        isStalled ? total + (now - last) : total
    }
}

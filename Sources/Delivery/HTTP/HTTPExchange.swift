import Admission
import Basics
import HTTPTypes
import Live
import NIOCore
import NIOHTTP1

/// What all connections of a listener share.
struct HTTPShared: Sendable {
    var limits: HTTPLimits
    var memory: HTTPMemory
    /// nil: everything goes to Hummingbird.
    var playback: PlaybackService?
    var dates: HTTPDates
    var log: LogLimiter
    /// Hummingbird's answer to a request that has come in whole, for connections without the codec.
    var respond: @Sendable (HTTPRequest, ByteBuffer, any Channel) async -> (HTTPResponse, ByteBuffer)
    /// Puts the HTTP codec and Hummingbird around the connection's handler.
    var addCodec: @Sendable (any Channel) -> Void

    func note(_ reason: String, of client: IPAddress?) {
        log.log(.info, "HTTP connection closed", reason, address: client.map { "\($0)" } ?? "unknown", lines: 5)
    }
}

/// Who writes a reply.
protocol ReplyReceiver: AnyObject {
    func send(_ reply: PlaybackReply)
}

/// One request that is being answered, whatever version of HTTP brought it: an answer that is not there yet is waited for, and what
/// has come of the request is counted. Everything is called on the connection's event loop.
final class HTTPExchange {
    private let shared: HTTPShared
    private let loop: any EventLoop
    private let network: IPNetwork?
    private var executor: EventLoopExecutor?
    /// What waits for what its stream brings next.
    private var held: (request: PlaybackService.Held, id: UInt64)?
    /// Bytes of the request that are counted.
    private var counted = 0

    init(_ shared: HTTPShared, on loop: any EventLoop, for client: IPAddress?) {
        self.shared = shared
        self.loop = loop
        network = client.map { IPNetwork.ofCustomer($0) }
    }

    // MARK: Answers

    /// - Parameter receiver: gets a reply that has to be waited for, unless the wait is left before.
    /// - Returns: the reply that is there already.
    func answer(
        _ head: RequestHead, over connection: inout PlaybackConnection, to receiver: any ReplyReceiver
    ) -> PlaybackReply? {
        guard let playback = shared.playback else { return nil }
        return carryOut(playback.answer(head, over: &connection), receiver)
    }

    private func carryOut(_ answer: PlaybackService.Answer, _ receiver: any ReplyReceiver) -> PlaybackReply? {
        switch answer {
        case .now(let reply):
            return reply
        case .held(let request):
            let bound = NIOLoopBound((self, receiver), eventLoop: loop)
            let id = request.wait(on: loop) {
                let (exchange, receiver) = bound.value
                exchange.held = nil
                if let reply = exchange.carryOut(request.answer(), receiver) { receiver.send(reply) }
            }
            held = id.map { (request, $0) }
        case .later(let work):
            let receiver = NIOLoopBound(receiver, eventLoop: loop)
            let executor = executor ?? EventLoopExecutor(loop)
            self.executor = executor
            // The task runs here and now until it has something to wait for.
            Task.immediate(executorPreference: executor) {
                let reply = await work()
                receiver.value.send(reply)
            }
        }
        return nil
    }

    /// The connection is gone, or nobody waits for the reply any more.
    func leave() {
        if let (request, id) = held { request.letGo(id) }
        held = nil
        giveBack()
    }

    // MARK: What has come of the request

    /// - Returns: whether there is room for it; otherwise nothing of the request is counted any more.
    func take(_ bytes: Int) -> Bool {
        let isTaken = shared.memory.takeBody(bytes, after: counted, of: network)
        counted = isTaken ? counted + bytes : 0
        return isTaken
    }

    func giveBack() {
        shared.memory.giveBackBody(counted, of: network)
        counted = 0
    }
}

/// Goes off at the earliest of the times it was given.
struct DeadlineTimer {
    private var armed: (task: Scheduled<Void>, deadline: NIODeadline)?

    mutating func arm(_ deadline: NIODeadline, on loop: any EventLoop, _ timeUp: @escaping () -> Void) {
        if let armed {
            guard deadline < armed.deadline else { return }
            armed.task.cancel()
        }
        armed = (loop.assumeIsolated().scheduleTask(deadline: deadline, timeUp), deadline)
    }

    mutating func wentOff() {
        armed = nil
    }

    mutating func cancel() {
        armed?.task.cancel()
        armed = nil
    }
}

extension PlaybackConnection {
    init(_ context: ChannelHandlerContext, isSecure: Bool) {
        self.init(
            client: context.remoteAddress?.ipAddress.flatMap { IPAddress($0) },
            server: context.localAddress?.ipAddress.flatMap { IPAddress($0)?.description } ?? "", isSecure: isSecure)
    }
}

extension PlaybackReply {
    /// What a connection answers in the place of whom the request is for.
    init(_ rejection: HTTPConnection.Rejection) {
        self.init(
            HTTPResponseStatus(statusCode: Int(rejection.status)), ByteBuffer(string: rejection.sentence + "\n"))
        add("Content-Type", "text/plain; charset=utf-8")
        add("Cache-Control", CachePolicy.never.headerValue)
        if rejection.status == 503 { add("Retry-After", "5") }
        finish(isHead: false)
    }
}

extension SendProgress {
    /// Looks at what the peer has acknowledged, if anything waits for it.
    mutating func measure(_ channel: any Channel, waiting: Int) {
        var acknowledged: Int64 = 0
        if waiting > 0 {
            TCPProgress.acknowledged(channel).assumeIsolated().whenSuccess { acknowledged = $0 ?? 0 }
        }
        measured(waiting: waiting, acknowledged: acknowledged, now: .now())
    }
}

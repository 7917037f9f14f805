import NIOCore
import NIOPosix
import NIOSSL
import RTMP
import Synchronization

/// An RTMP server on loopback that behaves as well, or as badly, as a test wants.
final class TestDestination: Sendable {
    enum Behaviour: Sendable, Equatable {
        case accepts
        /// Accepts the TCP connection and says nothing.
        case neverAnswers
        /// Answers up to `publish`, and then nothing.
        case neverAnswersPublish
        /// `NetStream.Publish.BadName`.
        case refusesStream
        /// `authmod=adobe` with this user name and password.
        case wantsLogin(user: String, password: String)
        /// Accepts the stream and reads no more after so many bytes of media.
        case stopsReading(after: Int)
        /// Takes at most about this many bytes in a twentieth of a second.
        case slow(bytes: Int)
        /// Resets the connection after so many bytes of media.
        case resets(after: Int)
    }

    struct Message: Sendable, Equatable {
        var isVideo: Bool
        var timestamp: UInt32
        var body: ByteBuffer
    }

    struct Record: Sendable {
        var behaviour: Behaviour
        var connections = 0
        var open = 0
        /// Streams published, `app/stream`, in order.
        var published: [String] = []
        /// How many said that they were done.
        var unpublished = 0
        /// Bodies of metadata messages, without `@setDataFrame`.
        var metadata: [ByteBuffer] = []
        var bytes = 0
        /// Kept only when asked for.
        var messages: [Message]?
    }

    private let record: Mutex<Record>
    private let channel: any Channel
    let port: Int

    private init(record: Record, channel: any Channel, box: Box) {
        self.record = Mutex(record)
        self.channel = channel
        port = channel.localAddress?.port ?? 0
        box.destination.withLock { $0 = self }
    }

    /// Lets the child initialiser find the server, which is made after it.
    private final class Box: Sendable {
        let destination = Mutex<TestDestination?>(nil)
    }

    static func start(
        _ behaviour: Behaviour = .accepts, port: Int = 0, keepsMessages: Bool = false, tls: NIOSSLContext? = nil
    )
        async throws -> TestDestination
    {
        let box = Box()
        var record = Record(behaviour: behaviour)
        if keepsMessages { record.messages = [] }
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let destination = box.destination.withLock({ $0 }) else { throw ChannelError.alreadyClosed }
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(TestDestinationHandler(destination))
                }
            }
        // Small, so that a destination which stops reading is noticed soon.
        let channel = try await bootstrap.serverChannelOption(.socketOption(.so_rcvbuf), value: 32_768)
            .bind(host: "127.0.0.1", port: port).get()
        return TestDestination(record: record, channel: channel, box: box)
    }

    func stop() async {
        try? await channel.close()
    }

    var now: Record { record.withLock { $0 } }

    func change(_ body: @Sendable (inout Record) -> Void) {
        record.withLock { body(&$0) }
    }
}

/// One connection to a `TestDestination`.
private final class TestDestinationHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let destination: TestDestination
    private var session = ServerSession(now: .now())
    private var app = ""
    private var bytes = 0

    init(_ destination: TestDestination) {
        self.destination = destination
    }

    func channelActive(context: ChannelHandlerContext) {
        destination.change {
            $0.connections += 1
            $0.open += 1
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        destination.change { $0.open -= 1 }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let behaviour = destination.now.behaviour
        guard behaviour != .neverAnswers else { return }
        let buffer = unwrapInboundIn(data)
        if case .slow(let limit) = behaviour {
            let loop = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
            let pause = TimeAmount.milliseconds(Int64(50 * max(1, buffer.readableBytes / max(1, limit))))
            context.eventLoop.scheduleTask(in: pause) {
                loop.value.channel.setOption(.autoRead, value: true).whenFailure { _ in }
            }
        }
        do {
            try session.receive(buffer, now: .now())
            while let event = try session.nextEvent() {
                handle(event, behaviour, context)
            }
            if let output = session.takeOutput() {
                context.writeAndFlush(wrapOutboundOut(output), promise: nil)
            }
        } catch {
            context.close(promise: nil)
        }
    }

    private func handle(_ event: ServerEvent, _ behaviour: TestDestination.Behaviour, _ context: ChannelHandlerContext)
    {
        switch event {
        case .connectRequested(let request): connect(request, behaviour, context)
        case .publishRequested(let request): publish(request, behaviour)
        case .media(let message): media(message, behaviour, context)
        case .metadata(let message): destination.change { $0.metadata.append(message.body) }
        case .unpublished: destination.change { $0.unpublished += 1 }
        default: break
        }
    }

    private func connect(
        _ request: ConnectRequest, _ behaviour: TestDestination.Behaviour, _ context: ChannelHandlerContext
    ) {
        app = request.path.app
        guard case .wantsLogin(let user, let password) = behaviour else {
            session.acceptConnect()
            return
        }
        let salt = "pepper"
        let verifier = AdobeAuthentication.verifier(user: user, salt: salt, password: password)
        let expected = AdobeAuthentication.response(
            verifier: verifier, challenge: "opaque", clientChallenge: request.parameter("challenge") ?? "")
        switch request.parameter("response") {
        case nil where request.parameter("user") == nil:
            session.rejectConnect(
                description: "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ")
        case nil:
            session.rejectConnect(
                description: "[ AccessManager.Reject ] : [ authmod=adobe ] : "
                    + "?reason=needauth&user=\(user)&salt=\(salt)&challenge=opaque&opaque=opaque")
        case expected:
            session.acceptConnect()
        default:
            session.rejectConnect(
                description: "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=opaque")
        }
    }

    private func publish(_ request: PublishRequest, _ behaviour: TestDestination.Behaviour) {
        switch behaviour {
        case .neverAnswersPublish: break
        case .refusesStream:
            session.refusePublish(
                streamID: request.streamID, description: "\(request.name.raw) is not a key of ours.")
        default:
            let name = "\(app)/\(request.name.raw)"
            destination.change { $0.published.append(name) }
            session.acceptPublish(streamID: request.streamID)
        }
    }

    private func media(
        _ message: MediaMessage, _ behaviour: TestDestination.Behaviour, _ context: ChannelHandlerContext
    ) {
        let size = message.body.readableBytes
        bytes += size
        destination.change {
            $0.bytes += size
            $0.messages?.append(
                TestDestination.Message(isVideo: message.isVideo, timestamp: message.timestamp, body: message.body))
        }
        switch behaviour {
        case .stopsReading(let limit) where bytes >= limit:
            context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
        case .resets(let limit) where bytes >= limit:
            if let socket = context.channel as? any SocketOptionProvider {
                socket.setSoLinger(.init(l_onoff: 1, l_linger: 0)).whenFailure { _ in }
            }
            context.close(promise: nil)
        default: break
        }
    }
}

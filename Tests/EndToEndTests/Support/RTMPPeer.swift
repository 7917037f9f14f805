import NIOCore
import NIOPosix
import RTMP
import Synchronization
import TestSupport

/// An RTMP client of our own, for what no installed program can send.
final class RTMPPeer: Sendable {
    private struct State: Sendable {
        var events: [ClientEvent] = []
        var isClosed = false
    }

    /// What the handler and the test share.
    private final class Notes: Sendable {
        let state = Mutex(State())
    }

    private let notes: Notes
    private let channel: any Channel
    private let handler: NIOLoopBound<Handler>

    private init(channel: any Channel, handler: NIOLoopBound<Handler>, notes: Notes) {
        self.channel = channel
        self.handler = handler
        self.notes = notes
    }

    var events: [ClientEvent] { notes.state.withLock { $0.events } }
    var isClosed: Bool { notes.state.withLock { $0.isClosed } }
    var media: [MediaMessage] {
        events.compactMap { event in
            if case .media(let message) = event { message } else { nil }
        }
    }
    var isRunning: Bool {
        events.contains { event in
            switch event {
            case .publishing, .playing: true
            default: false
            }
        }
    }
    /// The status it was refused or closed with.
    var ending: RTMPStatus? {
        events.lazy.compactMap { event in
            switch event {
            case .refused(let status), .closed(let status): status
            default: nil
            }
        }.first
    }

    /// Connects and asks; returns when the server has taken it in, refused it or hung up.
    static func connect(
        _ purpose: ClientConfiguration.Purpose, port: Int, app: String = "demo-origin/live", stream: String,
        isEnhanced: Bool = false
    ) async throws -> RTMPPeer {
        var configuration = ClientConfiguration(
            purpose: purpose, app: app, stream: stream, tcURL: "rtmp://127.0.0.1:\(port)/\(app)")
        configuration.profile.isEnhanced = isEnhanced
        let settings = configuration
        let notes = Notes()
        let (channel, handler) = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = Handler(ClientSession(configuration: settings, now: .now())) { event in
                        notes.state.withLock { state in
                            if let event { state.events.append(event) } else { state.isClosed = true }
                        }
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                    return (channel, NIOLoopBound(handler, eventLoop: channel.eventLoop))
                }
            }
        let peer = RTMPPeer(channel: channel, handler: handler, notes: notes)
        try await eventually("an answer to \(purpose) \(stream)") {
            peer.isRunning || peer.isClosed || peer.ending != nil
        }
        return peer
    }

    deinit {
        channel.close(promise: nil)
    }

    func send(_ type: RTMPMessageType, timestamp: UInt32, body: ByteBuffer) async throws {
        try await channel.eventLoop.submit { [handler] in
            handler.value.act { $0.send(type, timestamp: timestamp, body: body) }
        }.get()
    }

    /// Ends the stream in order.
    func stop() async throws {
        try await channel.eventLoop.submit { [handler] in
            handler.value.act { session in
                session.stop()
                return true
            }
        }.get()
    }

    /// Hangs up without a word.
    func close() async {
        try? await channel.close()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private var session: ClientSession
        private var context: ChannelHandlerContext?
        /// Told every event, and nil at the end.
        private let report: @Sendable (ClientEvent?) -> Void

        init(_ session: ClientSession, report: @escaping @Sendable (ClientEvent?) -> Void) {
            self.session = session
            self.report = report
        }

        func act(_ body: (inout ClientSession) -> Bool) {
            _ = body(&session)
            flush()
        }

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }
        func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

        func channelActive(context: ChannelHandlerContext) { flush() }
        func channelInactive(context: ChannelHandlerContext) { report(nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            do {
                try session.receive(unwrapInboundIn(data), now: .now())
                while let event = try session.nextEvent() { report(event) }
                flush()
            } catch {
                context.close(promise: nil)
            }
        }

        private func flush() {
            guard let context, let output = session.takeOutput() else { return }
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        }
    }
}

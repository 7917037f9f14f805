import NIOCore
import NIOPosix
import Synchronization

/// A socket that sends whatever it is told, and notes what comes back.
final class RawPeer: Sendable {
    private struct State: Sendable {
        var received: [UInt8] = []
        var isClosed = false
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let note: @Sendable (ByteBuffer?) -> Void

        init(_ note: @escaping @Sendable (ByteBuffer?) -> Void) {
            self.note = note
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { note(unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { note(nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    /// What the handler and the test share.
    private final class Notes: Sendable {
        let state = Mutex(State())
    }

    private let notes: Notes
    private let channel: any Channel

    private init(channel: any Channel, notes: Notes) {
        self.channel = channel
        self.notes = notes
    }

    static func connect(port: Int) async throws -> RawPeer {
        let notes = Notes()
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler { bytes in
                            notes.state.withLock { state in
                                guard let bytes else {
                                    state.isClosed = true
                                    return
                                }
                                state.received.append(contentsOf: bytes.readableBytesView)
                            }
                        })
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawPeer(channel: channel, notes: notes)
    }

    deinit {
        channel.close(promise: nil)
    }

    var isClosed: Bool { notes.state.withLock { $0.isClosed } }
    var received: [UInt8] { notes.state.withLock { $0.received } }
    var text: String { String(decoding: received, as: UTF8.self) }

    /// Sends, as far as the other side takes it: who has hung up takes no more.
    func send(_ bytes: [UInt8]) async {
        try? await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    func send(_ text: String) async {
        await send(Array(text.utf8))
    }

    func close() async {
        try? await channel.close()
    }
}

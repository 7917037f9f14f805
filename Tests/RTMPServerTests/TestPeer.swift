import NIOCore
import NIOPosix
import RTMP
import Synchronization
import TestSupport

/// A client on a real socket that sends what it is told, in any order, and notes what comes back.
final class TestPeer: Sendable {
    private struct State: Sendable {
        var handshakeLeft = 1 + 1_536 * 2
        var decoder = ChunkDecoder(limits: RTMPLimits())
        var codes: [String] = []
        var videos: [ByteBuffer] = []
        var isClosed = false
    }

    private final class Notes: Sendable {
        let state = Mutex(State())

        func take(_ bytes: ByteBuffer) throws {
            try state.withLock { state in
                var bytes = bytes
                let skipped = min(bytes.readableBytes, state.handshakeLeft)
                bytes.moveReaderIndex(forwardBy: skipped)
                state.handshakeLeft -= skipped
                try state.decoder.receive(bytes, now: .now())
                while let message = try state.decoder.next() {
                    if message.type == .video { state.videos.append(message.body) }
                    guard message.type == .commandAMF0, let command = try? RTMPCommand(message) else { continue }
                    state.codes.append(command.arguments.first?["code"]?.string ?? command.name)
                }
            }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let notes: Notes

        init(_ notes: Notes) { self.notes = notes }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { try? notes.take(unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { notes.state.withLock { $0.isClosed = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let channel: any Channel
    private let notes: Notes

    private init(channel: any Channel, notes: Notes) {
        self.channel = channel
        self.notes = notes
    }

    deinit {
        channel.close(promise: nil)
    }

    /// The codes of status messages, and the names of other commands, in their order.
    var codes: [String] { notes.state.withLock { $0.codes } }
    var videos: [ByteBuffer] { notes.state.withLock { $0.videos } }
    var isClosed: Bool { notes.state.withLock { $0.isClosed } }
    func has(_ code: String, times: Int = 1) -> Bool { codes.count { $0 == code } >= times }

    /// Shakes hands and connects.
    /// - Parameters:
    ///   - reads: whether it takes anything the server sends; see `startReading`.
    ///   - connect: further members of `connect`'s object.
    static func connect(port: Int, reads: Bool, connect: [String: String]) async throws -> TestPeer {
        let notes = Notes()
        var bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(notes))
                }
            }
        if !reads {
            bootstrap = bootstrap.channelOption(.autoRead, value: false)
                .channelOption(.socketOption(.so_rcvbuf), value: 4_096)
        }
        let channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
        let peer = TestPeer(channel: channel, notes: notes)
        await peer.send(ByteBuffer(bytes: [3] + [UInt8](repeating: 0, count: 1_536 * 2)))
        var object: AMFObject = ["app": "demo-origin/live", "tcUrl": "rtmp://127.0.0.1/demo-origin/live"]
        for (name, value) in connect { object[name] = .string(value) }
        if connect["capsEx"] != nil { object["capsEx"] = 1 }
        await peer.send(RTMPCommand("connect", transactionID: 1, object: .object(object)).message(streamID: 0))
        if reads { try await eventually("connect") { peer.has("NetConnection.Connect.Success") } }
        return peer
    }

    /// Sends, and waits until the kernel has taken it; gives up when the other side has hung up.
    func send(_ bytes: ByteBuffer) async {
        try? await channel.writeAndFlush(bytes).get()
    }

    /// Sends without waiting.
    func offer(_ bytes: ByteBuffer) {
        channel.writeAndFlush(bytes, promise: nil)
    }

    func send(_ message: RTMPMessage) async {
        await send(TestPeer.bytes(message))
    }

    static func bytes(_ message: RTMPMessage) -> ByteBuffer {
        var bytes = ByteBuffer()
        ChunkEncoder().encode(message, into: &bytes)
        return bytes
    }

    func command(_ name: String, _ arguments: AMFValue..., transaction: Double = 0, stream: UInt32 = 0) async {
        await send(RTMPCommand(name, transactionID: transaction, arguments: arguments).message(streamID: stream))
    }

    /// An H.264 message whose body names its sender.
    func keyframe(at timestamp: UInt32, mark: UInt8 = 0, size: Int = 16, stream: UInt32 = 1) async {
        let body = ByteBuffer(bytes: [0x17, 1, 0, 0, 0] + [UInt8](repeating: mark, count: size))
        await send(RTMPMessage(type: .video, streamID: stream, timestamp: timestamp, body: body))
    }

    /// Takes what has come and what comes from now on. When the other side has ended the connection in order, it has been
    /// taken already.
    func startReading() async {
        try? await channel.setOption(.autoRead, value: true).get()
        channel.read()
    }

    func close() async {
        try? await channel.close().get()
    }
}

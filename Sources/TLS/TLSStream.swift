import Basics
import NIOCore
import NIOSSL
import NIOTLS

/// What stands above the TLS library on a server's connection: what handlers above write and read is plain, and what goes wrong
/// below is said here and ends the connection without a word to them.
///
/// The library encrypts whatever it is given into a copy, and its buffer stays as large as the largest it was given. So it is
/// given records, and, where bodies are shared, only as many as the socket takes.
public final class TLSStream: ChannelDuplexHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    private enum Phase {
        case handshaking
        case open
        /// What waits goes out, then the output is closed.
        case closingOutput(EventLoopPromise<Void>?)
        /// All of it is with the socket.
        case outputClosed
        case closed
    }

    private struct Pending {
        var bytes: ByteBuffer
        var promise: EventLoopPromise<Void>?
    }

    /// What a TLS record holds at most (RFC 8446 §5.1).
    private static let recordLength = 16 << 10
    /// What goes to the socket together.
    private static let gatheredLength = 64 << 10
    /// What a connection holds in the library, an estimate: its state, a buffer for what comes and one for what goes.
    static let heldBytes = 96 << 10
    /// What of a connection's response waits encrypted at most: as much as the channel takes before it says that it is full, and
    /// what goes to it together.
    private static let encryptedBytes = 2 * gatheredLength
    /// What is received is copied out of the library's buffer when it is no more than this: it may be kept for long, and the
    /// buffer with it.
    private static let copiedLength = 4 << 10

    private let environment: TLSEnvironment
    private let floor: TLSFloor
    private var context: ChannelHandlerContext?
    private var phase = Phase.handshaking
    private var pending = CircularBuffer<Pending>()
    /// Bytes that were written and not encrypted yet.
    public private(set) var waiting = 0
    private var isPumping = false
    /// The channel takes bytes again, which the handlers above were not told.
    private var owesWritability = false
    private var network: IPNetwork?
    private var hasHandshake = false
    private var counted = 0
    private var timer: Scheduled<Void>?

    init(_ environment: TLSEnvironment, floor: TLSFloor) {
        self.environment = environment
        self.floor = floor
    }

    /// Nothing waits to be encrypted.
    public var isWritable: Bool { pending.isEmpty }

    // MARK: Life

    public func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start(context) }
    }

    public func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard timer == nil, case .handshaking = phase else { return }
        network = context.remoteAddress?.ipAddress.flatMap { IPAddress($0) }.map { IPNetwork.ofCustomer($0) }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: environment.timeout) { [weak self] in
            self?.timeUp()
        }
    }

    private func timeUp() {
        timer = nil
        guard let context, case .handshaking = phase else { return }
        environment.note("the handshake was not done in time", address: context.plainAddress)
        phase = .closed
        floor.abort(nil)
    }

    public func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    private func leave() {
        context = nil
        phase = .closed
        timer?.cancel()
        timer = nil
        endHandshake()
        count(0)
        drop(ChannelError.ioOnClosedChannel)
    }

    private func drop(_ error: any Error) {
        waiting = 0
        while let dropped = pending.popFirst() { dropped.promise?.fail(error) }
    }

    private func count(_ bytes: Int) {
        guard bytes != counted else { return }
        environment.memory.change(by: bytes - counted)
        counted = bytes
    }

    // MARK: The handshake

    /// The client's first message is there.
    /// - Returns: whether it is gone on with.
    func handshakeBegan() -> Bool {
        guard let context, case .handshaking = phase else { return false }
        guard environment.handshakes.enter(network) else {
            environment.note("too many handshakes are under way", address: context.plainAddress)
            phase = .closed
            return false
        }
        hasHandshake = true
        count(Self.heldBytes)
        return true
    }

    /// The client was sent away before it began one.
    func refused() {
        phase = .closed
        timer?.cancel()
    }

    private func endHandshake() {
        guard hasHandshake else { return }
        hasHandshake = false
        environment.handshakes.leave(network)
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted:
            guard case .handshaking = phase else { return }
            phase = .open
            timer?.cancel()
            timer = nil
            endHandshake()
            context.fireUserInboundEventTriggered(event)
        case is TLSUserEvent:
            break
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as NIOSSLError: note(error, context)
        case let error as BoringSSLError: environment.note(Self.text("\(error)"), address: context.plainAddress)
        case is NIOSSLExtraError, is NIOSSLCloseTimedOutError: break
        default: context.fireErrorCaught(error)
        }
    }

    private func note(_ error: NIOSSLError, _ context: ChannelHandlerContext) {
        // One that ends its connection without TLS's own farewell has had all that it wanted; one that was closed here broke
        // nothing.
        guard case .handshakeFailed(let reason) = error, case .handshaking = phase else { return }
        phase = .closed
        environment.note("the handshake failed: \(Self.text("\(reason)"))", address: context.plainAddress)
    }

    /// BoringSSL's own words hold the reason as a constant's name.
    private static func text(_ description: String) -> String {
        guard let start = description.firstRange(of: "OPENSSL_internal:")?.upperBound else {
            return description.contains("eofDuringHandshake") || description.contains("EOF during handshake")
                ? "the client has left" : description.cut(toBytes: 160)
        }
        let name = description[start...].prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        return name.lowercased().replacing("_", with: " ").cut(toBytes: 160)
    }

    // MARK: Reading

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard bytes.readableBytes <= Self.copiedLength else {
            context.fireChannelRead(data)
            return
        }
        context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: bytes.readableBytesView)))
    }

    // MARK: Writing

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .open = phase else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        let bytes = unwrapOutboundIn(data)
        pending.append(Pending(bytes: bytes, promise: promise))
        waiting += bytes.readableBytes
    }

    public func flush(context: ChannelHandlerContext) {
        pump()
    }

    public func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { pump() }
        // Handlers above may write again when what they wrote before has gone. Where that is within `pump`, it says so at its end.
        owesWritability = context.channel.isWritable && !pending.isEmpty
        if !owesWritability { context.fireChannelWritabilityChanged() }
    }

    private var mayEncrypt: Bool {
        !environment.holdsBack || context?.channel.isWritable ?? false
    }

    private func pump() {
        guard !isPumping, let context else { return }
        isPumping = true
        while !pending.isEmpty, mayEncrypt {
            floor.gather {
                var gathered = 0
                while gathered < Self.gatheredLength, mayEncrypt, let count = encryptNext(context) { gathered += count }
            }
        }
        isPumping = false
        guard self.context != nil else { return }
        count(Self.heldBytes + (pending.isEmpty ? 0 : Self.encryptedBytes))
        if pending.isEmpty, case .closingOutput(let promise) = phase { finish(promise, context) }
        if owesWritability, pending.isEmpty {
            owesWritability = false
            self.context?.fireChannelWritabilityChanged()
        }
    }

    /// - Returns: how much it was; nil when nothing waits.
    private func encryptNext(_ context: ChannelHandlerContext) -> Int? {
        guard !pending.isEmpty else { return nil }
        let length = min(pending[pending.startIndex].bytes.readableBytes, Self.recordLength)
        let isLast = pending[pending.startIndex].bytes.readableBytes == length
        guard let record = pending[pending.startIndex].bytes.readSlice(length: length) else { return nil }
        let promise = isLast ? pending.removeFirst().promise : nil
        waiting -= length
        context.writeAndFlush(wrapOutboundOut(record), promise: promise)
        return max(1, length)
    }

    // MARK: Endings

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch (mode, phase) {
        case (.input, _):
            context.close(mode: .input, promise: promise)
        case (.output, .open):
            phase = .closingOutput(promise)
            pump()
        case (.output, .closingOutput), (.output, .outputClosed):
            promise?.succeed(())
        case (.all, .open), (.all, .closingOutput), (.all, .outputClosed):
            if case .closingOutput(let earlier) = phase { earlier?.fail(ChannelError.ioOnClosedChannel) }
            phase = .closed
            drop(ChannelError.ioOnClosedChannel)
            // The farewell goes out if the socket takes it.
            context.close(promise: promise)
        case (_, .handshaking), (_, .closed):
            phase = .closed
            floor.abort(promise)
        }
    }

    /// The library ends the whole connection when its output is closed after the peer's, with whatever the socket has not taken:
    /// so that goes out before.
    private func finish(_ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        phase = .outputClosed
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            guard let self, let context = self.context, case .outputClosed = self.phase else {
                promise?.fail(ChannelError.ioOnClosedChannel)
                return
            }
            context.close(mode: .output, promise: promise)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
    }
}

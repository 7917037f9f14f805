import Basics
import NIOCore
import NIOPosix
import NIOSSL

/// The way to a destination's socket: name lookup, address policy, TCP, TLS.
///
/// One use, on one event loop, cancelled at any point. The result is a channel whose pipeline holds a `ByteMeter`, TLS
/// where asked for, and what the initialiser adds; with TLS its handshake may still be under way.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` alone, which the entry points assert.
final class PushConnector: @unchecked Sendable {
    struct Target: Sendable {
        var host: String
        var port: Int
        var isTLS: Bool
    }

    /// What is being done, for time-out messages.
    enum Step: String, Sendable {
        case lookup = "looking up the host name"
        case connect = "connecting"
    }

    private let target: Target
    private let context: PushConnectionContext
    private let eventLoop: any EventLoop
    private(set) var step = Step.lookup
    private var isCancelled = false
    private var channel: (any Channel)?
    private var addresses: [SocketAddress] = []
    private var lastFailure: PushFailure?

    init(_ target: Target, context: PushConnectionContext) {
        self.target = target
        self.context = context
        self.eventLoop = context.eventLoop
    }

    /// - Parameters:
    ///   - initializer: adds what speaks the protocol, on the event loop.
    ///   - done: called once on the event loop, unless cancelled.
    func connect(
        initializer: @escaping @Sendable (any Channel) throws -> Void,
        done: @escaping @Sendable (Result<any Channel, PushFailure>) -> Void
    ) {
        eventLoop.assertInEventLoop()
        let (resolver, host, port, eventLoop) = (context.resolver, target.host, target.port, eventLoop)
        let account = context.accountID
        Task {
            let outcome: Result<[SocketAddress], PushFailure>
            do throws(PushFailure) {
                outcome = .success(try await resolver.addresses(of: host, port: port, account: account))
            } catch {
                outcome = .failure(error)
            }
            eventLoop.execute { self.resolved(outcome, initializer: initializer, done: done) }
        }
    }

    /// Stops whatever is under way; `done` is not called any more. Closes the channel when there is one.
    func cancel() {
        eventLoop.assertInEventLoop()
        isCancelled = true
        channel?.close(promise: nil)
        channel = nil
    }

    private func resolved(
        _ outcome: Result<[SocketAddress], PushFailure>, initializer: @escaping @Sendable (any Channel) throws -> Void,
        done: @escaping @Sendable (Result<any Channel, PushFailure>) -> Void
    ) {
        guard !isCancelled else { return }
        step = .connect
        switch outcome {
        case .failure(let failure):
            done(.failure(failure))
        case .success(let found):
            addresses = found.filter { address in
                guard let text = address.ipAddress, let parsed = IPAddress(text) else { return false }
                return context.policy.permits(parsed)
            }
            guard !addresses.isEmpty else {
                let names = found.compactMap(\.ipAddress).joined(separator: ", ")
                done(
                    .failure(
                        PushFailure(
                            .addressNotAllowed,
                            "\(target.host) is at \(names), where pushes may not go (push.allow_private)")))
                return
            }
            connectNext(initializer: initializer, done: done)
        }
    }

    private func connectNext(
        initializer: @escaping @Sendable (any Channel) throws -> Void,
        done: @escaping @Sendable (Result<any Channel, PushFailure>) -> Void
    ) {
        guard !addresses.isEmpty else {
            done(.failure(lastFailure ?? PushFailure(.connectFailed, "\(target.host) has no address")))
            return
        }
        let address = addresses.removeFirst()
        // All but the last address get a few seconds only, so that one that does not answer leaves time for the others.
        let limit = addresses.isEmpty ? context.configuration.connectTimeout : .seconds(3)
        bootstrap(limit: min(limit, context.configuration.connectTimeout), initializer: initializer)
            .connect(to: address)
            .whenComplete { result in
                if self.isCancelled {
                    if case .success(let channel) = result { channel.close(promise: nil) }
                    return
                }
                switch result {
                case .success(let channel):
                    done(.success(channel))
                case .failure(let error):
                    self.channel = nil
                    self.lastFailure = PushFailure(connecting: error, to: address)
                    self.connectNext(initializer: initializer, done: done)
                }
            }
    }

    private func bootstrap(limit: TimeAmount, initializer: @escaping @Sendable (any Channel) throws -> Void)
        -> ClientBootstrap
    {
        let configuration = context.configuration
        let target = target
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(limit)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(ChannelOptions.Types.SocketOption(level: .tcp, name: .keepIdle), value: 15)
            .channelOption(ChannelOptions.Types.SocketOption(level: .tcp, name: .keepInterval), value: 5)
            .channelOption(ChannelOptions.Types.SocketOption(level: .tcp, name: .keepCount), value: 3)
            // Data that nobody acknowledges ends the connection, though our own watchdog should be first.
            .channelOption(
                ChannelOptions.Types.SocketOption(level: .tcp, name: .userTimeout),
                value: SocketOptionValue(clamping: configuration.sendTimeout.nanoseconds / 1_000_000 &+ 2_000)
            )
            // A destination that is too slow shows at once in the ring, where frames can be skipped, instead of behind
            // megabytes in the kernel.
            .channelOption(
                ChannelOptions.Types.SocketOption(level: .tcp, name: .unsentLowWater),
                value: SocketOptionValue(clamping: configuration.sendBuffer)
            )
            .channelOption(
                .writeBufferWaterMark,
                value: .init(low: max(1, configuration.sendBuffer / 4), high: max(2, configuration.sendBuffer))
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    self.channel = channel
                    if self.isCancelled { throw ChannelError.alreadyClosed }
                    try channel.pipeline.syncOperations.addHandler(ByteMeter())
                    if target.isTLS {
                        let tls = try PushConnector.tls(host: target.host, configuration)
                        try channel.pipeline.syncOperations.addHandler(tls)
                    }
                    try initializer(channel)
                }
            }
    }

    private static func tls(host: String, _ settings: PushConfiguration) throws -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = settings.trustRoots
        configuration.minimumTLSVersion = .tlsv12
        // How long the destination's own goodbye is waited for.
        configuration.shutdownTimeout = settings.closeTimeout
        // SNI holds names only; an address is checked against the certificate all the same.
        return try NIOSSLClientHandler(
            context: NIOSSLContext(configuration: configuration), serverHostname: IPAddress(host) == nil ? host : nil)
    }
}

extension NIOBSDSocket.Option {
    // linux/tcp.h
    fileprivate static let keepIdle = NIOBSDSocket.Option(rawValue: 4)
    fileprivate static let keepInterval = NIOBSDSocket.Option(rawValue: 5)
    fileprivate static let keepCount = NIOBSDSocket.Option(rawValue: 6)
    fileprivate static let userTimeout = NIOBSDSocket.Option(rawValue: 18)
    fileprivate static let unsentLowWater = NIOBSDSocket.Option(rawValue: 25)
}

/// Counts the bytes handed to the socket. First in the pipeline, below TLS.
///
/// Lives on its channel's event loop like every handler.
final class ByteMeter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Waiting in this process included.
    private(set) var handedOver: Int64 = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        handedOver &+= Int64(unwrapOutboundIn(data).readableBytes)
        context.write(data, promise: promise)
    }
}

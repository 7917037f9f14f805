import Admission
import Foundation
import Live
import Logging
import NIOCore
import RTMP
import Synchronization

/// One RTMP connection: carries bytes between the socket and `ServerSession`, and what the session says between the client and
/// the stage.
///
/// `@unchecked Sendable`: references are held by tasks and by the registry, but everything mutable is touched on the
/// channel's event loop alone; what comes from elsewhere goes through `eventLoop.execute`.
public final class RTMPConnectionHandler: ChannelDuplexHandler, @unchecked Sendable {
    public typealias InboundIn = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    let services: RTMPServices
    let accepted = Date()
    var session: ServerSession
    var request: ConnectRequest?
    /// Whom Adobe's challenge has verified.
    var challenged: ChallengedUser?
    /// What is being published, by message stream id. Nearly always one.
    var publications: [UInt32: RTMPPublication] = [:]
    /// What is being played, by message stream id.
    var plays: [UInt32: RTMPPlay] = [:]
    private(set) var context: ChannelHandlerContext?
    /// It has been asked to connect anew, and should go by itself.
    public let isAskedToReconnect = Atomic<Bool>(false)
    private var isReadPending = false
    private var isClosing = false
    private var check: Scheduled<Void>?

    init(services: RTMPServices) {
        self.services = services
        session = ServerSession(configuration: services.sessionConfiguration, now: .now())
    }

    // MARK: The channel

    public func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start() }
    }

    public func channelActive(context: ChannelHandlerContext) {
        start()
        context.fireChannelActive()
    }

    private func start() {
        guard check == nil else { return }
        services.registry.add(self)
        scheduleCheck()
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    public func channelInactive(context: ChannelHandlerContext) {
        check?.cancel()
        services.registry.remove(self)
        leaveEverything(isOrderly: false)
        context.fireChannelInactive()
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        do throws(RTMPError) {
            try session.receive(unwrapInboundIn(data), now: .now())
        } catch {
            fail(error)
            return
        }
        drain()
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        for publication in publications.values {
            publication.publication.readComplete()
        }
        context.fireChannelReadComplete()
    }

    /// While the client waits for an answer, nothing more is read from it.
    public func read(context: ChannelHandlerContext) {
        if session.awaitsAnswer {
            isReadPending = true
        } else {
            context.read()
        }
    }

    public func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            for play in plays.values { play.reader?.writabilityChanged() }
        }
        context.fireChannelWritabilityChanged()
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        services.logger.debug("RTMP connection broke", metadata: ["address": "\(address)", "error": "\(error)"])
        context.close(promise: nil)
    }

    // MARK: The session

    /// Handles everything the client did, and sends what the session has to say.
    func drain() {
        do throws(RTMPError) {
            while !isClosing, let event = try session.nextEvent() {
                handle(event)
            }
        } catch {
            fail(error)
            return
        }
        send()
        if isReadPending, !session.awaitsAnswer {
            isReadPending = false
            context?.read()
        }
    }

    /// Sends what the session has to say.
    func send() {
        guard let context, let output = session.takeOutput() else { return }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }

    /// Sends what is left to say and closes.
    func close() {
        guard !isClosing else { return }
        isClosing = true
        if let output = session.takeOutput(), let context {
            context.writeAndFlush(wrapOutboundOut(output)).whenComplete { [weak self] _ in
                self?.context?.close(promise: nil)
            }
            // A peer that does not read must not hold the connection open.
            context.eventLoop.scheduleTask(in: .seconds(2)) { [weak self] in
                self?.context?.close(promise: nil)
            }
        } else {
            context?.close(promise: nil)
        }
    }

    /// The peer broke the protocol: said once, and the connection ends.
    private func fail(_ error: RTMPError) {
        services.log.log(
            .warning, "RTMP connection ended", error.message, address: address, ["code": "\(error.code.rawValue)"])
        leaveEverything(isOrderly: false)
        close()
    }

    /// Runs `body` on the event loop, for as long as the connection is there.
    func onLoop(_ body: @escaping @Sendable (RTMPConnectionHandler) -> Void) {
        channelEventLoop?.execute {
            guard self.context != nil else { return }
            body(self)
        }
    }

    var address: String {
        remoteAddress
    }

    /// Set once, before anything else can see the handler.
    private(set) var remoteAddress = "unknown"
    private(set) var localAddress = ""
    private(set) var channelEventLoop: (any EventLoop)?

    /// Called by the listener when the channel is made.
    func adopt(_ channel: any Channel) {
        remoteAddress = channel.remoteAddress?.plainAddress ?? "unknown"
        localAddress = channel.localAddress?.plainAddress ?? ""
        channelEventLoop = channel.eventLoop
    }

    // MARK: Time

    private static let checkInterval = TimeAmount.seconds(2)

    private func scheduleCheck() {
        check = channelEventLoop?.scheduleTask(in: RTMPConnectionHandler.checkInterval) { [weak self] in
            guard let self, self.context != nil else { return }
            self.checkDeadlines(now: .now())
            if self.context?.channel.isActive == true { self.scheduleCheck() }
        }
    }

    private func checkDeadlines(now: NIODeadline) {
        guard !isClosing else { return }
        if let error = session.expired(now: now) {
            fail(error)
            return
        }
        let silence = now - session.lastReceived
        let idle = services.configuration.idleTimeout
        if !publications.isEmpty, silence > idle {
            fail(RTMPError(.timeout, "The publisher sent nothing for \(idle.nanoseconds / 1_000_000_000) seconds."))
        } else if !plays.isEmpty, silence > .seconds(60) {
            // Players say nothing for hours; the ping tells the dead ones.
            session.ping(now: now)
            send()
        }
    }
}

extension SocketAddress {
    /// The address without port; an IPv4 address inside IPv6 as IPv4.
    var plainAddress: String {
        guard let address = ipAddress else { return "unknown" }
        return address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }
}

import Admission
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOPosix
import Synchronization
import TLS

/// Accepts HTTP connections on `http.listen` or, inside TLS, on `https.listen`, and gives their requests to a router's responder.
///
/// Takes the place of Hummingbird's `Server` and `Application`, for two reasons: a port that is taken is known before
/// anything else has begun, and Hummingbird's connection handling has one timer, which neither sees whether a download goes
/// on nor ends a request whose body does not come.
public final class HTTPListener: Sendable {
    private let channel: any Channel
    private let connections: HTTPConnections

    private init(channel: any Channel, connections: HTTPConnections) {
        self.channel = channel
        self.connections = connections
    }

    /// The port it listens on, also when it was given as 0.
    public var port: Int {
        channel.localAddress?.port ?? 0
    }

    /// Connections open now.
    public var connectionCount: Int {
        connections.count
    }

    /// - Parameters:
    ///   - socket: where.
    ///   - gate: the connection limits; nil: none.
    ///   - tls: nil: connections are plain.
    ///   - playback: answers what is for players on the connection's event loop, without a way through the router.
    ///   - logger: for what goes wrong inside Hummingbird.
    public static func bind(
        on socket: ListeningSocket, group: any EventLoopGroup, gate: ConnectionGate?, tls: TLSEnvironment? = nil,
        limits: HTTPLimits, memory: HTTPMemory, playback: PlaybackService?,
        responder: some HTTPResponder<ConnectionRequestContext>, log: LogLimiter, logger: Logger
    ) async throws -> HTTPListener {
        let dates = HTTPDates()
        let child = HTTPChild { request, writer, channel in
            let context = ConnectionRequestContext(source: .init(channel: channel, logger: logger))
            var response = try await responder.respond(to: request, context: context)
            response.headers[.date] = dates.text()
            try await writer.write(response: response.head, body: response.body)
        }
        let shared = HTTPShared(
            limits: limits, memory: memory, playback: playback, dates: dates, log: log,
            respond: { head, body, channel in
                let context = ConnectionRequestContext(source: .init(channel: channel, logger: logger))
                let request = Request(head: head, body: RequestBody(buffer: body))
                do {
                    var response = try await responder.respond(to: request, context: context)
                    response.headers[.date] = dates.text()
                    let collected = CollectedBody()
                    try await response.body.write(collected)
                    return (response.head, collected.bytes)
                } catch {
                    return (HTTPResponse(status: .internalServerError), ByteBuffer())
                }
            },
            addCodec: { child.serve($0, logger: logger) })
        let connections = HTTPConnections()
        let channel = try await ServerBootstrap(group: group)
            // Whoever comes while one program takes the place of another waits there; the system's own limit is lower as a rule.
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let gate = gate.map { ConnectionGateHandler(gate: $0) }
                    if let gate { try pipeline.addHandler(gate) }
                    let connection = HTTPConnectionHandler(shared, gate: gate, tls: try tls?.add(to: channel))
                    try pipeline.addHandlers(connection.makeInput(), connection)
                    connections.add(channel)
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Requests are small, and what is read ahead of its turn is kept.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2_048, maximum: 16_384)
            )
            .listen(on: socket)
        return HTTPListener(channel: channel, connections: connections)
    }

    /// Another descriptor of the listening socket: with it connections are taken, to wait, when this listener accepts no more.
    public func duplicateSocket() async -> NIOBSDSocket.Handle? {
        await channel.duplicateSocket()
    }

    /// Accepts no more, lets requests in progress be answered, and closes whoever is left after `timeout`.
    /// - Returns: how many connections there were.
    @discardableResult
    public func drain(within timeout: Duration) async -> Int {
        try? await channel.close()
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        let all = connections.all
        var next = clock.now
        while connections.count > 0, clock.now < deadline {
            if clock.now >= next {
                // Those included that were accepted while the listener closed, and those that were given a little time.
                for connection in connections.all {
                    connection.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
                }
                next = clock.now + .milliseconds(100)
            }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { break }
        }
        for connection in connections.all { connection.close(promise: nil) }
        return all.count
    }
}

/// The connections there are.
private final class HTTPConnections: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    func add(_ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        channels.withLock { $0[key] = channel }
        channel.closeFuture.whenComplete { _ in
            _ = self.channels.withLock { $0.removeValue(forKey: key) }
        }
    }

    var all: [any Channel] {
        channels.withLock { Array($0.values) }
    }

    var count: Int {
        channels.withLock { $0.count }
    }
}

/// A request context with the client's end of the connection and nothing else.
public struct ConnectionRequestContext: RemoteAddressRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let remoteAddress: SocketAddress?

    public init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}

/// What a connection needs for requests that Hummingbird answers: the codec, and the loop over the requests, which is
/// Hummingbird's.
private struct HTTPChild: HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder

    /// On the channel's event loop: the codec is there when this returns.
    func serve(_ channel: any Channel, logger: Logger) {
        setup(channel: channel, logger: logger).whenComplete { result in
            switch result {
            case .success(let value):
                let task = Task { await handle(value: value, logger: logger) }
                // Whatever still works for a client that is gone is told to stop.
                channel.closeFuture.whenComplete { _ in task.cancel() }
            case .failure:
                channel.close(promise: nil)
            }
        }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            var decoder = NIOHTTPDecoderLimitConfiguration()
            decoder.maxHeaderFieldSize = 16 << 10
            decoder.maxHeaderListSize = 32 << 10
            decoder.maxHeaderFieldCount = 128
            // Header values need no check on their way out: HTTPTypes has made it.
            try pipeline.configureHTTPServerPipeline(
                position: .before(pipeline.handler(type: HTTPConnectionHandler.self)),
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoder)
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}

/// A response's body, gathered: those that Hummingbird makes here are small.
private final class CollectedBody: ResponseBodyWriter, Sendable {
    private let all = Mutex(ByteBuffer())

    var bytes: ByteBuffer { all.withLock { $0 } }

    func write(_ buffer: ByteBuffer) async throws {
        _ = all.withLock { $0.writeImmutableBuffer(buffer) }
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// The text of the `Date` field, made once a second.
final class HTTPDates: Sendable {
    struct Now: Sendable {
        /// Of Unix time.
        var second: Int64
        var text: String
    }

    private let last = Mutex(Now(second: .min, text: ""))

    func now() -> Now {
        let second = Int64(Date().timeIntervalSince1970.rounded(.down))
        return last.withLock { last in
            if last.second != second { last = Now(second: second, text: HTTPDates.format(second)) }
            return last
        }
    }

    func text() -> String { now().text }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
    static func format(_ second: Int64) -> String {
        let date = Date(timeIntervalSince1970: Double(second))
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = calendar.dateComponents([.weekday, .day, .month, .year, .hour, .minute, .second], from: date)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let day = days[((parts.weekday ?? 1) - 1) % 7]
        let month = months[((parts.month ?? 1) - 1) % 12]
        func two(_ value: Int?) -> String {
            let text = String(value ?? 0)
            return text.count < 2 ? "0" + text : text
        }
        return "\(day), \(two(parts.day)) \(month) \(parts.year ?? 1970) "
            + "\(two(parts.hour)):\(two(parts.minute)):\(two(parts.second)) GMT"
    }
}

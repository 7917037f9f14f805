import Admission
import NIOCore
import NIOPosix
import Synchronization
import TLS

/// Accepts RTMP connections on `rtmp.listen` or, inside TLS, on `rtmps.listen`, and ends them in order.
public final class RTMPServer: Sendable {
    private let channel: any Channel
    private let connections: RTMPConnections

    private init(channel: any Channel, connections: RTMPConnections) {
        self.channel = channel
        self.connections = connections
    }

    /// The port it listens on, also when it was given as 0.
    public var port: Int {
        channel.localAddress?.port ?? 0
    }

    /// Connections there are, closing ones included.
    var connectionCount: Int { connections.count }

    /// - Parameters:
    ///   - socket: where.
    ///   - gate: the connection limits; nil: none.
    ///   - tls: nil: connections are plain.
    public static func bind(
        on socket: ListeningSocket, group: any EventLoopGroup, gate: ConnectionGate?, tls: TLSEnvironment? = nil,
        environment: RTMPEnvironment
    ) async throws -> RTMPServer {
        let connections = RTMPConnections()
        let channel = try await ServerBootstrap(group: group)
            // Whoever comes while one program takes the place of another waits there; the system's own limit is lower as a rule.
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let gate = gate.map { ConnectionGateHandler(gate: $0) }
                    if let gate { try channel.pipeline.syncOperations.addHandler(gate) }
                    _ = try tls?.add(to: channel)
                    try channel.pipeline.syncOperations.addHandler(
                        RTMPConnection(
                            channel, environment: environment, connections: connections, gate: gate,
                            isSecure: tls != nil))
                }
            }
            .childChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            // What one slow viewer may hold of a stream's shared bytes before it is left behind.
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 128 << 10, high: 512 << 10))
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 4_096, maximum: 65_536)
            )
            .listen(on: socket)
        return RTMPServer(channel: channel, connections: connections)
    }

    /// Another descriptor of the listening socket: with it connections are taken, to wait, when this listener accepts no more.
    public func duplicateSocket() async -> NIOBSDSocket.Handle? {
        await channel.duplicateSocket()
    }

    /// Accepts no more.
    public func stopAccepting() async {
        try? await channel.close()
    }

    /// Tells everybody that the server goes down: clients that can are asked to connect anew. Returns when each has been told.
    public func announceShutdown() async {
        for connection in connections.all { await connection.announceShutdown() }
    }

    /// Ends all connections: those asked to connect anew have until `timeout` to go by themselves. Called after
    /// `announceShutdown`.
    /// - Returns: how many there were.
    public func endConnections(within timeout: Duration) async -> Int {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        let all = connections.all
        for connection in all where !connection.isAskedToReconnect { connection.closeForShutdown() }
        while connections.count > 0, clock.now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        for connection in connections.all { connection.closeForShutdown() }
        return all.count
    }
}

/// The RTMP connections there are.
final class RTMPConnections: Sendable {
    private let connections = Mutex<[ObjectIdentifier: RTMPConnection]>([:])

    func add(_ connection: RTMPConnection) {
        connections.withLock { $0[ObjectIdentifier(connection)] = connection }
    }

    func remove(_ connection: RTMPConnection) {
        _ = connections.withLock { $0.removeValue(forKey: ObjectIdentifier(connection)) }
    }

    var all: [RTMPConnection] {
        connections.withLock { Array($0.values) }
    }

    var count: Int {
        connections.withLock { $0.count }
    }
}

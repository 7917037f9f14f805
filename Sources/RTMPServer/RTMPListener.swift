import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Accepts RTMP connections on `rtmp.listen`.
public final class RTMPListener: Sendable {
    private let channel: any Channel

    private init(channel: any Channel) {
        self.channel = channel
    }

    /// The port it listens on, also when it was given as 0.
    public var port: Int {
        channel.localAddress?.port ?? 0
    }

    /// - Parameter guards: handlers that stand before each connection's own, made anew for each (the connection limits).
    public static func bind(
        host: String, port: Int, group: any EventLoopGroup, guards: @escaping @Sendable () -> [any ChannelHandler],
        services: RTMPServices
    ) async throws -> RTMPListener {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = RTMPConnectionHandler(services: services)
                    handler.adopt(channel)
                    try channel.pipeline.syncOperations.addHandlers(guards() + [handler])
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
            .bind(host: host, port: port)
            .get()
        return RTMPListener(channel: channel)
    }

    /// Accepts no more.
    public func close() async {
        try? await channel.close()
    }
}

import NIOCore
import NIOHTTP1
import NIOPosix

@testable import ControlAPI

/// A small HTTP server before a `ControlService`, for clients that are programs. It keeps what it was sent.
enum Listener {
    /// Runs `body` with the address to post to.
    static func run(_ service: ControlService, _ body: (String) async throws -> Void) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(service: service))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        do {
            try await body("http://127.0.0.1:\(port)/stable/")
        } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let service: ControlService
        private var contentType: String?
        private var received: [UInt8] = []

        init(service: ControlService) {
            self.service = service
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                contentType = head.headers.first(name: "content-type")
                received = []
                if head.headers.contains(name: "expect") {
                    context.writeAndFlush(
                        wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
                }
            case .body(let bytes):
                received += Array(bytes.readableBytesView)
            case .end:
                let (service, contentType, body, channel) = (service, contentType, received, context.channel)
                Task {
                    let reply = await service.handle(contentType: contentType, body: body, address: "127.0.0.1")
                    var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: reply.status))
                    head.headers.add(name: "Content-Type", value: reply.contentType)
                    head.headers.add(name: "Content-Length", value: String(reply.body.count))
                    channel.write(HTTPServerResponsePart.head(head), promise: nil)
                    channel.write(
                        HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: reply.body))), promise: nil)
                    channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
                }
            }
        }
    }
}

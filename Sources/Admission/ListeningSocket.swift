import NIOCore
import NIOPosix

/// Where a listener listens.
public enum ListeningSocket: Sendable {
    case address(host: String, port: Int)
    /// A socket that listens already, which the listener comes to own.
    case inherited(NIOBSDSocket.Handle)
}

extension ServerBootstrap {
    /// Listens.
    public func listen(on socket: ListeningSocket) async throws -> any Channel {
        switch socket {
        case .address(let host, let port): try await bind(host: host, port: port).get()
        case .inherited(let descriptor): try await withBoundSocket(descriptor).get()
        }
    }
}

extension Channel {
    /// Another descriptor of the channel's socket, which stays when the channel is closed; nil when there is none any more.
    public func duplicateSocket() async -> NIOBSDSocket.Handle? {
        let duplicate = try? await eventLoop.submit {
            try self.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                fcntl($0, F_DUPFD_CLOEXEC, 3)
            }
        }.get()
        return duplicate.flatMap { $0 }.flatMap { $0 >= 0 ? $0 : nil }
    }
}

import Hummingbird
import NIOCore

/// What the playback routes need to know of a request's connection.
public protocol PlaybackRequestContext: RemoteAddressRequestContext {
    /// The address of this server that the client reached.
    var localAddress: SocketAddress? { get }
}

/// A request context with the two ends of the connection and nothing else.
public struct ConnectionRequestContext: PlaybackRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let remoteAddress: SocketAddress?
    public let localAddress: SocketAddress?

    public init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        remoteAddress = source.channel.remoteAddress
        localAddress = source.channel.localAddress
    }
}

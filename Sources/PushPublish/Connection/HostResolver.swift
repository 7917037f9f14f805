import NIOCore

/// Looks host names up.
public protocol HostResolver: Sendable {
    /// The addresses to try, in order; never empty.
    /// - Throws: `unknownHost` when the name does not exist, `lookupFailed` otherwise.
    func addresses(of host: String, port: Int) async throws(PushFailure) -> [SocketAddress]
}

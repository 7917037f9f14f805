import Basics
import NIOCore

@testable import PushPublish

/// Answers as it is told.
struct StubResolver: HostResolver {
    var answer: @Sendable (String, Int) async throws(PushFailure) -> [SocketAddress]

    func addresses(of host: String, port: Int, account: AccountID) async throws(PushFailure) -> [SocketAddress] {
        try await answer(host, port)
    }
}

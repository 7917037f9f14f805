import Basics
import Foundation
import Live
import NIOCore
import NIOPosix

extension TestAPI {
    /// Puts a stream of `demo-origin/live` on air.
    func publish(
        _ stream: String, app: String = "demo-origin", accountID: AccountID = 158, role: EncoderRole = .primary
    ) async throws -> Publication {
        let info = PublisherInfo(
            address: "192.0.2.9", software: "FMLE/3.0", transport: "rtmp", user: "alice",
            connected: Date(timeIntervalSince1970: 1_700_000_000))
        return try await stage.publish(
            StreamAddress(app: app, instance: "live", stream: stream), accountID: accountID, settings: HubSettings(),
            publisher: Publisher(info: info, role: role) { _ in }, on: MultiThreadedEventLoopGroup.singleton.any())
    }
}

import Basics
import Foundation
import Live
import Logging
import Storage

/// Writes what encoders do to the origin's event log (`log.origin`).
public struct OriginEventLog: StageObserver {
    private let store: any Store
    private let logger: Logger

    public init(store: any Store, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    public func hubOpened(_ hub: StreamHub) async {}

    public func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) async {
        await record(.publish, hub.address, accountID: hub.accountID, publisher.info, isAuthenticated: true, error: nil)
    }

    public func unpublished(_ hub: StreamHub, last publisher: Publisher) async {
        await record(
            .unpublish, hub.address, accountID: hub.accountID, publisher.info, isAuthenticated: true, error: nil)
    }

    /// A refusal is logged for the account that owns the app; for an app of nobody there is nobody to tell.
    /// - Parameter isAuthenticated: whether it was refused although its login was right.
    public func publishRefused(
        _ stream: StreamAddress, _ info: PublisherInfo, _ refusal: PublishRefusal, isAuthenticated: Bool
    ) async {
        guard let account = try? await store.account(owningApp: stream.app) else { return }
        await record(
            .publish, stream, accountID: account.id, info, isAuthenticated: isAuthenticated, error: refusal.message)
    }

    private func record(
        _ kind: OriginEvent.Kind, _ stream: StreamAddress, accountID: AccountID, _ info: PublisherInfo,
        isAuthenticated: Bool,
        error: String?
    ) async {
        var metadata = ["software": info.software, "protocol": info.transport]
        if let error { metadata["error"] = error }
        let event = OriginEvent(
            accountID: accountID, date: Date(), kind: kind, app: stream.app, instance: stream.instance,
            stream: stream.stream,
            isAuthenticated: isAuthenticated, user: info.user, address: info.address, metadata: metadata)
        do {
            try await store.recordEvent(event)
        } catch {
            logger.error("event not logged", metadata: ["stream": "\(stream)", "error": "\(error)"])
        }
    }
}

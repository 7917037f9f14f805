import Logging
import Storage

/// Writes pushes' events to the store in order, off every path that matters: a slow store delays nobody.
final class PushEventLog: Sendable {
    /// Events that may wait; with a store that takes nothing the oldest are lost, and that is logged.
    static let capacity = 4096

    private let events: AsyncStream<OriginEvent>.Continuation
    private let writer: Task<Void, Never>
    private let logger: Logger

    init(store: any EventStore, logger: Logger) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: OriginEvent.self, bufferingPolicy: .bufferingNewest(PushEventLog.capacity))
        events = continuation
        self.logger = logger
        writer = Task {
            for await event in stream {
                do {
                    try await store.recordEvent(event)
                } catch {
                    logger.error("push event not recorded", metadata: ["error": "\(error)", "kind": "\(event.kind)"])
                }
            }
        }
    }

    func record(_ event: OriginEvent) {
        if case .dropped = events.yield(event) {
            logger.error("push event lost: the store is too slow")
        }
    }

    /// Nothing more comes; returns when what came is written.
    func finish() async {
        events.finish()
        await writer.value
    }
}

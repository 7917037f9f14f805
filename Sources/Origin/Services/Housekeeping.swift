import Basics
import Foundation
import Logging
import ServiceLifecycle
import Storage

/// Removes what has outlived its time: attempts, sessions, origin events, remembered replies.
struct Housekeeping: Service {
    let store: SQLiteStore
    let attemptRetention: Duration
    let eventRetention: Duration
    let logger: Logger
    var interval = Duration.seconds(600)

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                await sweep(now: Date())
                try await Task.sleep(for: interval)
            }
        }
    }

    func sweep(now: Date) async {
        do {
            try await store.removeReplays(expiredBefore: now)
            if attemptRetention > .zero {
                _ = try await store.removeAttempts(before: now - attemptRetention.timeInterval)
                _ = try await store.removeEndedSessions(before: now - attemptRetention.timeInterval)
            }
            if eventRetention > .zero {
                _ = try await store.removeEvents(before: now - eventRetention.timeInterval)
            }
        } catch is CancellationError {
            // The origin ends.
        } catch {
            logger.warning("housekeeping failed", metadata: ["error": "\(error)"])
        }
    }
}

import Basics
import Foundation
import Storage
import Synchronization

/// The two parts of a store that packaging needs, in memory; it can be made to fail.
final class MemoryStore: SequenceStore, StreamStore {
    struct Failure: Error {}

    private struct State {
        var sequences: [String: Int64] = [:]
        var settings: [String: StreamSettings] = [:]
        var failures = 0
    }

    private let state = Mutex(State())

    /// Lets the next reservations fail.
    func failReservations(_ count: Int) {
        state.withLock { $0.failures = count }
    }

    func reserved(_ name: String) -> Int64? {
        state.withLock { $0.sequences[name] }
    }

    func reserveSequence(name: String, count: Int64) async throws -> Int64 {
        try state.withLock { state in
            guard state.failures == 0 else {
                state.failures -= 1
                throw Failure()
            }
            let first = (state.sequences[name] ?? 0) + 1
            state.sequences[name] = first + count - 1
            return first
        }
    }

    func upsertStream(_ settings: StreamSettings) async throws -> StreamSettings {
        state.withLock { $0.settings["\(settings.app)/\(settings.stream)"] = settings }
        return settings
    }

    func streamSettings(app: String, stream: String) async throws -> [StreamSettings] {
        state.withLock { state in
            StreamSettings.inheritance(of: stream).compactMap { state.settings["\(app)/\($0)"] }
        }
    }

    func currentSettingsRevision() async throws -> Int64 { 0 }
    func stream(id: Int64) async throws -> StreamSettings? { nil }
    func streams(accountID: AccountID) async throws -> [StreamSettings] { [] }
    func insertStreamUser(_ user: StreamUser) async throws -> StreamUser { user }
    func streamUser(id: Int64) async throws -> StreamUser? { nil }
    func streamUsers(accountID: AccountID, app: String?, stream: String?) async throws -> [StreamUser] { [] }
    func publishers(app: String, stream: String) async throws -> [StreamUser] { [] }
    func challengeUsers(app: String, user: String, limit: Int) async throws -> [StreamUser] { [] }
    func updateStreamUser(_ user: StreamUser) async throws -> Bool { false }
    func removeStreamUser(id: Int64) async throws -> Bool { false }
}

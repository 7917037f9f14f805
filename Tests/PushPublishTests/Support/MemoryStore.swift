import Basics
import Storage

/// Stored pushes and events in memory.
actor MemoryStore: PushStore, EventStore {
    private var rows: [Int64: PushService] = [:]
    private var lastID: Int64 = 0
    private(set) var events: [OriginEvent] = []

    func insertPush(_ push: PushService) -> PushService {
        lastID += 1
        var push = push
        push.id = lastID
        rows[lastID] = push
        return push
    }

    func push(id: Int64, accountID: AccountID) -> PushService? {
        rows[id].flatMap { $0.accountID == accountID ? $0 : nil }
    }

    func pushes(accountID: AccountID) -> [PushService] {
        rows.values.filter { $0.accountID == accountID }.sorted { $0.id < $1.id }
    }

    func autopushes(app: String, instance: String, stream: String) -> [PushService] {
        rows.values.filter {
            $0.autopush && $0.app ?? app == app && $0.instance ?? instance == instance && $0.stream ?? stream == stream
        }.sorted { $0.id < $1.id }
    }

    func updatePush(_ push: PushService) -> Bool {
        guard rows[push.id] != nil else { return false }
        rows[push.id] = push
        return true
    }

    func removePush(id: Int64, accountID: AccountID) -> Bool {
        rows.removeValue(forKey: id) != nil
    }

    func recordEvent(_ event: OriginEvent) -> OriginEvent {
        events.append(event)
        return event
    }

    func events(accountID: AccountID, app: String, stream: String?, limit: Int, offset: Int) -> [OriginEvent] {
        events.reversed()
    }
}

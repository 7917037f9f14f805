/// How many attempts may be on their way to one host at a time, and who waits for its turn.
///
/// A platform that comes back after an outage is not met by every push at once, and one that does not answer holds a few
/// attempts, not all of them. An attempt that was accepted has left its slot.
struct HostSlots<ID: Hashable & Sendable>: Sendable {
    private struct Host {
        var running: Set<ID> = []
        var waiting: [ID] = []
    }

    private let limit: Int
    private var hosts: [String: Host] = [:]

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// - Returns: whether the attempt may start now; otherwise it waits and is given by a later `release`.
    mutating func acquire(_ id: ID, host: String) -> Bool {
        var entry = hosts[host, default: Host()]
        defer { hosts[host] = entry }
        guard entry.running.count < limit else {
            entry.waiting.append(id)
            return false
        }
        entry.running.insert(id)
        return true
    }

    /// The attempt is over, accepted or not wanted any more. Harmless when it holds nothing.
    /// - Returns: who may start now.
    mutating func release(_ id: ID, host: String) -> ID? {
        guard var entry = hosts[host] else { return nil }
        defer { hosts[host] = entry.running.isEmpty && entry.waiting.isEmpty ? nil : entry }
        guard entry.running.remove(id) != nil else {
            entry.waiting.removeAll { $0 == id }
            return nil
        }
        guard !entry.waiting.isEmpty else { return nil }
        let next = entry.waiting.removeFirst()
        entry.running.insert(next)
        return next
    }
}

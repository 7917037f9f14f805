import Foundation
import Storage

/// How a stream is protected and whose it is, as last read from the store.
struct StreamGuard: Sendable, Hashable {
    var protection: Protection
    /// The account that owns the app; nil when nobody does.
    var cdn: Int?
    var read: Date
}

/// Remembers for a moment how streams are protected, so that a playlist a second from every viewer is not a query each.
struct ProtectionCache: Sendable {
    private struct Name: Hashable {
        var app: String
        var stream: String
    }

    private var entries: [Name: StreamGuard] = [:]
    private let lifetime: TimeInterval
    private let capacity: Int

    init(lifetime: TimeInterval, capacity: Int = 10_000) {
        self.lifetime = lifetime
        self.capacity = capacity
    }

    func value(app: String, stream: String, now: Date) -> StreamGuard? {
        guard let entry = entries[Name(app: app, stream: stream)], now.timeIntervalSince(entry.read) < lifetime,
            entry.read <= now
        else { return nil }
        return entry
    }

    mutating func insert(_ value: StreamGuard, app: String, stream: String) {
        // Names come from the outside: when they fill the cache it starts anew, which costs one query a stream.
        if entries.count >= capacity { entries.removeAll(keepingCapacity: true) }
        entries[Name(app: app, stream: stream)] = value
    }

    mutating func remove(app: String, stream: String?) {
        guard let stream, stream != "*" else {
            entries = entries.filter { $0.key.app != app }
            return
        }
        entries[Name(app: app, stream: stream)] = nil
    }
}

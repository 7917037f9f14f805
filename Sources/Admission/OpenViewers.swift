import Synchronization

/// Connections that play streams anybody may watch: they end when such a stream comes to be protected. May be used from any
/// task; reads no clock and does no I/O.
final class OpenViewers: Sendable {
    typealias OnEnd = ViewingSessions.OnEnd

    private struct State: Sendable {
        var viewers: [ViewingSessions.StreamName: [String: OnEnd]] = [:]
        var streams: [String: ViewingSessions.StreamName] = [:]
        var last: UInt64 = 0
    }

    private let state = Mutex(State())
    private static let prefix = "open/"

    /// Whether an id was given by `add`, of a viewer who is there or who was.
    static func isOne(_ id: String) -> Bool {
        id.hasPrefix(prefix)
    }

    /// - Returns: the id to end it by. No session has one like it.
    func add(_ stream: ViewingSessions.StreamName, onEnd: @escaping OnEnd) -> String {
        state.withLock { state in
            state.last &+= 1
            let id = "\(Self.prefix)\(state.last)"
            state.viewers[stream, default: [:]][id] = onEnd
            state.streams[id] = stream
            return id
        }
    }

    func contains(_ id: String) -> Bool {
        state.withLock { $0.streams[id] != nil }
    }

    /// - Returns: whether there was such a viewer.
    @discardableResult
    func remove(_ id: String) -> Bool {
        state.withLock { state in
            guard let stream = state.streams.removeValue(forKey: id) else { return false }
            state.viewers[stream]?[id] = nil
            if state.viewers[stream]?.isEmpty == true { state.viewers[stream] = nil }
            return true
        }
    }

    /// Streams that somebody plays.
    var streams: [ViewingSessions.StreamName] {
        state.withLock { Array($0.viewers.keys) }
    }

    /// Ends all viewers of a stream.
    /// - Returns: what to call, outside of any lock.
    func removeAll(of stream: ViewingSessions.StreamName) -> [OnEnd] {
        state.withLock { state in
            guard let viewers = state.viewers.removeValue(forKey: stream) else { return [] }
            for id in viewers.keys { state.streams[id] = nil }
            return Array(viewers.values)
        }
    }
}

import Synchronization

/// The RTMP connections there are, so that a shutdown can say goodbye to each.
final class RTMPConnectionRegistry: Sendable {
    private let connections = Mutex<[ObjectIdentifier: RTMPConnectionHandler]>([:])

    func add(_ connection: RTMPConnectionHandler) {
        connections.withLock { $0[ObjectIdentifier(connection)] = connection }
    }

    func remove(_ connection: RTMPConnectionHandler) {
        _ = connections.withLock { $0.removeValue(forKey: ObjectIdentifier(connection)) }
    }

    var all: [RTMPConnectionHandler] {
        connections.withLock { Array($0.values) }
    }

    var isEmpty: Bool {
        connections.withLock { $0.isEmpty }
    }
}

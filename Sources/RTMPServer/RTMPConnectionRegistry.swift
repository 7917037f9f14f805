import Synchronization

/// The RTMP connections there are, so that a shutdown can say goodbye to each.
public final class RTMPConnectionRegistry: Sendable {
    private let connections = Mutex<[ObjectIdentifier: RTMPConnectionHandler]>([:])

    public init() {}

    func add(_ connection: RTMPConnectionHandler) {
        connections.withLock { $0[ObjectIdentifier(connection)] = connection }
    }

    func remove(_ connection: RTMPConnectionHandler) {
        _ = connections.withLock { $0.removeValue(forKey: ObjectIdentifier(connection)) }
    }

    public var all: [RTMPConnectionHandler] {
        connections.withLock { Array($0.values) }
    }

    public var isEmpty: Bool {
        connections.withLock { $0.isEmpty }
    }
}

import Basics
import Live
import NIOCore
import Synchronization

/// What all HTTP connections hold together: bodies that have come, and responses that wait for their peers.
public final class HTTPMemory: Sendable {
    private struct Bodies {
        var total = 0
        var byNetwork: [IPNetwork: Int] = [:]
    }

    private struct Storage {
        var connections: Int
        var bytes: Int
    }

    /// One network may hold this part of the bodies allowed, so that it does not keep everybody else out.
    private static let networkShare = 4

    private let budget: MemoryBudget
    private let maximumBodies: Int
    private let bodies = Mutex(Bodies())
    private let waiting = Mutex<[UInt: Storage]>([:])

    /// - Parameters:
    ///   - budget: counts what is held here.
    ///   - maximumBodies: `limits.bodies`: bytes of request bodies over all connections.
    public init(budget: MemoryBudget, maximumBodies: Int) {
        self.budget = budget
        self.maximumBodies = maximumBodies
    }

    /// Peers that hold memory back have to go.
    var isPressed: Bool {
        budget.pressure >= .viewers
    }

    /// Bytes of request bodies held.
    var bodyBytes: Int {
        bodies.withLock { $0.total }
    }

    // MARK: Request bodies

    /// - Parameter network: nil is one customer as well.
    /// - Returns: whether there is room for them; otherwise nothing is counted.
    func takeBody(_ bytes: Int, of network: IPNetwork?) -> Bool {
        let isTaken = bodies.withLock { bodies in
            guard bodies.total + bytes <= maximumBodies else { return false }
            if let network {
                let held = bodies.byNetwork[network, default: 0] + bytes
                guard held <= max(maximumBodies / HTTPMemory.networkShare, 1) else { return false }
                bodies.byNetwork[network] = held
            }
            bodies.total += bytes
            return true
        }
        if isTaken { budget.change(by: bytes) }
        return isTaken
    }

    func giveBackBody(_ bytes: Int, of network: IPNetwork?) {
        guard bytes > 0 else { return }
        bodies.withLock { bodies in
            bodies.total -= bytes
            guard let network, let held = bodies.byNetwork[network] else { return }
            bodies.byNetwork[network] = held > bytes ? held - bytes : nil
        }
        budget.change(by: -bytes)
    }

    // MARK: Responses

    /// Counts a buffer that waits for a peer, once however many connections wait with it: viewers share a segment's bytes.
    /// - Returns: what to give to `release` when it waits no more.
    func hold(_ buffer: ByteBuffer) -> UInt {
        // The storage's own address, which is the same for every part of it and in use for as long as the buffer waits.
        let identity = buffer.withVeryUnsafeBytesWithStorageManagement { UInt(bitPattern: $1.toOpaque()) }
        let bytes = waiting.withLock { waiting -> Int in
            if let storage = waiting[identity] {
                waiting[identity] = Storage(connections: storage.connections + 1, bytes: storage.bytes)
                return 0
            }
            waiting[identity] = Storage(connections: 1, bytes: buffer.storageCapacity)
            return buffer.storageCapacity
        }
        if bytes > 0 { budget.change(by: bytes) }
        return identity
    }

    func release(_ identity: UInt) {
        let bytes = waiting.withLock { waiting -> Int in
            guard let storage = waiting[identity] else { return 0 }
            guard storage.connections == 1 else {
                waiting[identity] = Storage(connections: storage.connections - 1, bytes: storage.bytes)
                return 0
            }
            waiting[identity] = nil
            return storage.bytes
        }
        if bytes > 0 { budget.change(by: -bytes) }
    }
}

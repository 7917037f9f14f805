import Basics
import Live
import NIOCore
import Synchronization

/// What all HTTP connections hold together: bodies that have come, and responses that wait for their peers.
public final class HTTPMemory: Sendable {
    private struct Bodies {
        var total = 0
        var byNetwork: [IPNetwork: Int] = [:]

        mutating func change(by bytes: Int, of network: IPNetwork?) {
            total += bytes
            guard let network else { return }
            let held = byNetwork[network, default: 0] + bytes
            byNetwork[network] = held > 0 ? held : nil
        }
    }

    private struct Storage {
        var connections: Int
        let bytes: Int
        let accountID: AccountID?
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

    /// - Parameters:
    ///   - held: how much of the same body was taken before. Where there is no room for more, that is given back in the same
    ///     step: of two bodies that leave each other no room, the second finds the first one's, and is not refused as well.
    ///   - network: nil is one customer as well.
    /// - Returns: whether there is room for them; otherwise nothing of the body is counted any more.
    func takeBody(_ bytes: Int, after held: Int, of network: IPNetwork?) -> Bool {
        let isTaken = bodies.withLock { bodies in
            let isFree = bodies.total + bytes <= maximumBodies
            let share = network == nil ? Int.max : max(maximumBodies / HTTPMemory.networkShare, 1)
            let ofNetwork = network.flatMap { bodies.byNetwork[$0] } ?? 0
            let isTaken = isFree && ofNetwork + bytes <= share
            bodies.change(by: isTaken ? bytes : -held, of: network)
            return isTaken
        }
        budget.change(by: isTaken ? bytes : -held)
        return isTaken
    }

    func giveBackBody(_ bytes: Int, of network: IPNetwork?) {
        guard bytes > 0 else { return }
        bodies.withLock { $0.change(by: -bytes, of: network) }
        budget.change(by: -bytes)
    }

    // MARK: Responses

    /// Counts a buffer that waits for a peer, once however many connections wait with it: viewers share a playlist's bytes.
    /// - Parameter accountID: whom it is counted for; nil: nobody.
    /// - Returns: what to give to `release` when it waits no more.
    func hold(_ buffer: ByteBuffer, of accountID: AccountID?) -> UInt {
        // The storage's own address, which is the same for every part of it and in use for as long as the buffer waits.
        let identity = buffer.withVeryUnsafeBytesWithStorageManagement { UInt(bitPattern: $1.toOpaque()) }
        let new = Storage(connections: 1, bytes: buffer.storageCapacity, accountID: accountID)
        let isFirst = waiting.withLock { waiting in
            if waiting[identity] == nil {
                waiting[identity] = new
                return true
            }
            waiting[identity]?.connections += 1
            return false
        }
        if isFirst { count(new, by: 1) }
        return identity
    }

    func release(_ identity: UInt) {
        let last = waiting.withLock { waiting -> Storage? in
            guard let storage = waiting[identity] else { return nil }
            guard storage.connections == 1 else {
                waiting[identity]?.connections -= 1
                return nil
            }
            waiting[identity] = nil
            return storage
        }
        if let last { count(last, by: -1) }
    }

    private func count(_ storage: Storage, by sign: Int) {
        if let accountID = storage.accountID {
            budget.change(by: sign * storage.bytes, account: accountID)
        } else {
            budget.change(by: sign * storage.bytes)
        }
    }
}

/// The bodies that one connection has written and its socket may not have taken: what waits for the peer is counted.
struct WrittenBodies {
    private struct Held {
        var buffer: ByteBuffer
        var accountID: AccountID?
        /// Bytes of bodies written to the connection when it had been.
        var end: Int
        /// What `HTTPMemory.hold` gave; nil until it is known that the buffer has to wait.
        var identity: UInt?
    }

    /// Smaller buffers are not worth a count, nor to be kept apart from the head before them.
    static let leastHeld = 4 << 10

    private var bytes = 0
    private var held: [Held] = []

    /// - Parameter isCounted: whoever made the buffer's storage counts it.
    mutating func add(_ buffer: ByteBuffer, of accountID: AccountID?, isCounted: Bool) {
        bytes += buffer.readableBytes
        if !isCounted, buffer.readableBytes >= Self.leastHeld {
            held.append(Held(buffer: buffer, accountID: accountID, end: bytes))
        }
    }

    /// Gives back what the socket has taken; what is behind that waits for the peer and is counted.
    mutating func taken(waiting: Int, in memory: HTTPMemory) {
        guard !held.isEmpty else { return }
        let count = held.prefix { $0.end <= bytes - waiting }.count
        for buffer in held.prefix(count) { buffer.identity.map(memory.release) }
        held.removeFirst(count)
        for index in held.indices where held[index].identity == nil {
            held[index].identity = memory.hold(held[index].buffer, of: held[index].accountID)
        }
    }
}

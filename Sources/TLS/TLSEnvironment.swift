import Admission
import Basics
import Live
import NIOCore
import Synchronization

/// What the TLS connections of a listener share.
public struct TLSEnvironment: Sendable {
    let certificates: ServerCertificates
    let timeout: TimeAmount
    let holdsBack: Bool
    let memory: MemoryBudget
    let handshakes: HandshakeLimit
    let log: LogLimiter

    /// - Parameters:
    ///   - timeout: from the connection's beginning to the end of its handshake.
    ///   - holdsBack: what is written is encrypted as the socket takes it, and until then only referred to: for bodies that many
    ///     share. Otherwise it is encrypted at once, so that what the channel says of itself is the whole.
    ///   - memory: counts what connections hold beside what they carry.
    public init(
        certificates: ServerCertificates, timeout: TimeAmount, holdsBack: Bool, memory: MemoryBudget, log: LogLimiter
    ) {
        self.certificates = certificates
        self.timeout = timeout
        self.holdsBack = holdsBack
        self.memory = memory
        self.log = log
        handshakes = HandshakeLimit()
    }

    /// Puts TLS on top of what the channel's pipeline has so far. Called on its event loop.
    public func add(to channel: any Channel) throws -> TLSStream {
        let floor = TLSFloor(self)
        let stream = TLSStream(self, floor: floor)
        floor.stream = stream
        try channel.pipeline.syncOperations.addHandlers(floor, stream)
        return stream
    }

    /// Why a connection ends before it has begun, or breaks.
    func note(_ reason: String, address: String) {
        log.log(.info, "TLS connection closed", reason, address: address, lines: 5)
    }
}

/// How many handshakes may be under way, in all and of one network: each costs a signature at its beginning and memory until its
/// end, which a client need not let come.
final class HandshakeLimit: Sendable {
    private struct State: Sendable {
        var total = 0
        var byNetwork: [IPNetwork: Int] = [:]
    }

    static let total = 4_096
    /// A crowd behind one address has each of its handshakes done within a round trip.
    static let perNetwork = 512
    private let state = Mutex(State())

    /// - Returns: whether there is room for one more.
    func enter(_ network: IPNetwork?) -> Bool {
        state.withLock { state in
            guard state.total < Self.total else { return false }
            if let network {
                let own = state.byNetwork[network, default: 0]
                guard own < Self.perNetwork else { return false }
                state.byNetwork[network] = own + 1
            }
            state.total += 1
            return true
        }
    }

    func leave(_ network: IPNetwork?) {
        state.withLock { state in
            state.total -= 1
            guard let network, let own = state.byNetwork[network] else { return }
            state.byNetwork[network] = own > 1 ? own - 1 : nil
        }
    }
}

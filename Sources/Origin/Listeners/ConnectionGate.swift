import NIOCore
import Synchronization

/// Counts connections, in all and per address, and refuses those over the limits (`limits.connections`,
/// `limits.connections_per_address`). One gate for all listeners.
public final class ConnectionGate: Sendable {
    private struct Counts: Sendable {
        var total = 0
        var byAddress: [String: Int] = [:]
    }

    private let total: Int
    private let perAddress: Int
    private let counts = Mutex(Counts())

    public init(total: Int, perAddress: Int) {
        self.total = total
        self.perAddress = perAddress
    }

    /// Takes a place for `address`; false when there is none. A true must be paired with one `leave`.
    public func enter(_ address: String) -> Bool {
        counts.withLock { counts in
            let held = counts.byAddress[address, default: 0]
            guard counts.total < total, held < perAddress else { return false }
            counts.total += 1
            counts.byAddress[address] = held + 1
            return true
        }
    }

    public func leave(_ address: String) {
        counts.withLock { counts in
            counts.total -= 1
            guard let held = counts.byAddress[address] else { return }
            counts.byAddress[address] = held > 1 ? held - 1 : nil
        }
    }

    public var connections: Int {
        counts.withLock { $0.total }
    }
}

/// Holds a connection's place in the gate for as long as it lasts; closes it at once when there is none.
final class ConnectionGateHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    private let gate: ConnectionGate
    private var address: String?

    init(gate: ConnectionGate) {
        self.gate = gate
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { enter(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        enter(context)
        guard address != nil else { return }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    private func enter(_ context: ChannelHandlerContext) {
        guard address == nil else { return }
        let remote = context.remoteAddress?.ipAddress ?? "unknown"
        guard gate.enter(remote) else {
            context.close(promise: nil)
            return
        }
        address = remote
    }

    private func leave() {
        if let address { gate.leave(address) }
        address = nil
    }
}

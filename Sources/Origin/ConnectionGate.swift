import Basics
import Logging
import NIOCore
import Synchronization
import Usher

/// Counts connections, in all and per address, and refuses those over the limits (`limits.connections`,
/// `limits.connections_per_address`). One gate for all listeners.
public final class ConnectionGate: Sendable {
    private struct Counts: Sendable {
        var total = 0
        var byNetwork: [IPNetwork: Int] = [:]
        /// Whom the log names already. Always networks that hold places, so never more than there are connections.
        var named: Set<IPNetwork> = []
        var isNamedFull = false
    }

    private enum Refusal {
        case full
        case tooMany
    }

    private let total: Int
    private let perAddress: Int
    private let exempt: [IPNetwork]
    private let logger: Logger
    private let counts = Mutex(Counts())

    /// A place in the gate, to be given back once.
    public struct Place: Sendable {
        /// nil: counted in all only.
        fileprivate let network: IPNetwork?
    }

    /// - Parameter exempt: proxies, behind whose one address are many.
    public init(total: Int, perAddress: Int, exempt: [IPNetwork] = [], logger: Logger) {
        self.total = total
        self.perAddress = perAddress
        self.exempt = exempt
        self.logger = logger
    }

    /// Takes a place for `address`; nil when there is none. An IPv6 network of 64 bits counts as one address, since one
    /// customer has all of it.
    public func enter(_ address: IPAddress?) -> Place? {
        var network = address.map { IPNetwork($0, prefix: $0.family == .v4 ? 32 : 64) }
        if let address, exempt.contains(where: { $0.contains(address) }) { network = nil }
        let (place, refusal) = counts.withLock { [network] counts -> (Place?, Refusal?) in
            guard counts.total < total else {
                defer { counts.isNamedFull = true }
                return (nil, counts.isNamedFull ? nil : .full)
            }
            if let network {
                let held = counts.byNetwork[network, default: 0]
                guard held < perAddress else {
                    return (nil, counts.named.insert(network).inserted ? .tooMany : nil)
                }
                counts.byNetwork[network] = held + 1
            }
            counts.total += 1
            return (Place(network: network), nil)
        }
        if let refusal { log(refusal, address) }
        return place
    }

    public func leave(_ place: Place) {
        counts.withLock { counts in
            counts.total -= 1
            if counts.total <= total / 2 { counts.isNamedFull = false }
            guard let network = place.network, let held = counts.byNetwork[network] else { return }
            counts.byNetwork[network] = held > 1 ? held - 1 : nil
            if held - 1 <= perAddress / 2 { counts.named.remove(network) }
        }
    }

    /// Said once, and again only after half of the places were free: a flood must not fill the log.
    private func log(_ refusal: Refusal, _ address: IPAddress?) {
        switch refusal {
        case .full:
            logger.warning("connections refused: the server holds as many as it may", metadata: ["limit": "\(total)"])
        case .tooMany:
            logger.warning(
                "connections refused: too many connections from one address",
                metadata: ["address": "\(address.map { "\($0)" } ?? "unknown")", "limit": "\(perAddress)"])
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
    private var place: ConnectionGate.Place?

    init(gate: ConnectionGate) {
        self.gate = gate
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { enter(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        enter(context)
        guard place != nil else { return }
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
        guard place == nil else { return }
        guard let taken = gate.enter(context.remoteAddress?.ipAddress.flatMap { IPAddress($0) }) else {
            context.close(promise: nil)
            return
        }
        place = taken
    }

    private func leave() {
        if let place { gate.leave(place) }
        place = nil
    }
}

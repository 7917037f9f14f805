import Admission
import Basics
import NIOCore
import Synchronization
import Usher

/// Counts connections, in all and per address, and refuses those over the limits (`limits.connections`,
/// `limits.connections_per_address`). One gate for all listeners.
public final class ConnectionGate: Sendable {
    private struct Counts: Sendable {
        var total = 0
        var byNetwork: [IPNetwork: Int] = [:]
    }

    private enum Refusal {
        case full
        case tooMany
    }

    private let total: Int
    private let perAddress: Int
    private let exempt: [IPNetwork]
    private let log: LogLimiter
    private let counts = Mutex(Counts())

    /// A place in the gate, to be given back once.
    public struct Place: Sendable {
        /// nil: counted in all only.
        fileprivate let network: IPNetwork?
    }

    /// - Parameter exempt: proxies, behind whose one address are many.
    public init(total: Int, perAddress: Int, exempt: [IPNetwork] = [], log: LogLimiter) {
        self.total = total
        self.perAddress = perAddress
        self.exempt = exempt
        self.log = log
    }

    /// Takes a place for `address`; nil when there is none. An IPv6 network of 64 bits counts as one address, since one
    /// customer has all of it.
    public func enter(_ address: IPAddress?) -> Place? {
        var network = address.map { IPNetwork.ofCustomer($0) }
        if let address, exempt.contains(where: { $0.contains(address) }) { network = nil }
        let (place, refusal) = counts.withLock { [network] counts -> (Place?, Refusal?) in
            guard counts.total < total else { return (nil, .full) }
            if let network {
                let held = counts.byNetwork[network, default: 0]
                guard held < perAddress else { return (nil, .tooMany) }
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
            guard let network = place.network, let held = counts.byNetwork[network] else { return }
            counts.byNetwork[network] = held > 1 ? held - 1 : nil
        }
    }

    /// Said once a minute: a flood must not fill the log.
    private func log(_ refusal: Refusal, _ address: IPAddress?) {
        let address = address.map { "\($0)" } ?? "unknown"
        switch refusal {
        case .full:
            log.log(
                .warning, "connections refused", "the server holds as many as it may", address: address, lines: 1,
                ["limit": "\(total)"])
        case .tooMany:
            log.log(
                .warning, "connections refused", "too many connections from one address", address: address, lines: 1,
                ["limit": "\(perAddress)"])
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

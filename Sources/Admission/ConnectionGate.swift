import Basics
import NIOCore
import Synchronization
import Usher

/// Counts connections, in all and per address, and refuses those over the limits (`limits.connections`,
/// `limits.connections_per_address`). One gate for all listeners.
///
/// Some places (`limits.connections_reserved`) are not for viewers, so that encoders and API calls get in when viewers have
/// filled all others. What a connection is for shows only after it has been accepted. So one that finds all other places taken
/// is on trial: it may log an encoder in, or have one request answered that is not a viewer's, and when the next one needs its
/// place the oldest on trial goes. An encoder takes a moment for its login; who wants to keep it out has to fill all places on
/// trial anew within that moment, from many networks.
public final class ConnectionGate: Sendable {
    enum Standing: Sendable, Hashable {
        /// A viewer, or anybody who came while there was room for viewers.
        case ordinary
        case trial
        /// An encoder that was let in.
        case publisher
    }

    /// A place in the gate, to be given back once.
    struct Place: Sendable {
        /// nil: counted in all only.
        fileprivate let network: IPNetwork?
        fileprivate let number: UInt64
        fileprivate(set) var standing: Standing
    }

    private struct State: Sendable {
        var total = 0
        var ordinary = 0
        var byNetwork: [IPNetwork: Int] = [:]
        var lastNumber: UInt64 = 0
        /// Those on trial by their numbers, the oldest first.
        var trials = DueQueue<UInt64, UInt64>()
        var trialsOf: [IPNetwork: [UInt64]] = [:]
        var onTrial: [UInt64: Trial] = [:]
    }

    private struct Trial: Sendable {
        var network: IPNetwork?
        var close: @Sendable () -> Void
    }

    private enum Refusal {
        case full
        case tooMany
        case noViewers
    }

    private let total: Int
    private let perAddress: Int
    /// Places for viewers and whoever has not said what it is.
    private let forViewers: Int
    /// Places on trial of one network.
    private let trialsPerNetwork: Int
    private let exempt: [IPNetwork]
    private let log: LogLimiter
    private let state = Mutex(State())

    /// - Parameters:
    ///   - reserved: of `total`, the places that viewers cannot take.
    ///   - exempt: proxies, behind whose one address are many.
    public init(total: Int, reserved: Int, perAddress: Int, exempt: [IPNetwork] = [], log: LogLimiter) {
        self.total = total
        self.perAddress = perAddress
        let reserved = min(max(reserved, 0), total)
        forViewers = total - reserved
        trialsPerNetwork = max(4, reserved / 8)
        self.exempt = exempt
        self.log = log
    }

    /// Takes a place for `address`; nil when there is none. An IPv6 network of 64 bits counts as one address, since one
    /// customer has all of it.
    /// - Parameter close: ends the connection when it is on trial and its place is needed.
    func enter(_ address: IPAddress?, close: @escaping @Sendable () -> Void) -> Place? {
        var network = address.map { IPNetwork.ofCustomer($0) }
        if let address, exempt.contains(where: { $0.contains(address) }) { network = nil }
        let (place, refusal, dismissed) = state.withLock { [network] state in
            take(network, close, &state)
        }
        dismissed?()
        if let refusal { log(refusal, address) }
        return place
    }

    private func take(_ network: IPNetwork?, _ close: @escaping @Sendable () -> Void, _ state: inout State) -> (
        Place?, Refusal?, dismissed: (@Sendable () -> Void)?
    ) {
        if let network, state.byNetwork[network, default: 0] >= perAddress { return (nil, .tooMany, nil) }
        var standing = Standing.ordinary
        var dismissed: (@Sendable () -> Void)?
        if state.ordinary >= forViewers || state.total >= total {
            standing = .trial
            let own = network.flatMap { state.trialsOf[$0] } ?? []
            if own.count >= trialsPerNetwork, let oldest = own.first {
                dismissed = dismiss(oldest, &state)
            } else if state.total >= total {
                guard let oldest = state.trials.popFirst(notAfter: .max) else { return (nil, .full, nil) }
                dismissed = dismiss(oldest, &state)
            }
        }
        state.lastNumber &+= 1
        let place = Place(network: network, number: state.lastNumber, standing: standing)
        state.total += 1
        if let network { state.byNetwork[network, default: 0] += 1 }
        if standing == .trial {
            state.trials.set(place.number, place.number)
            state.onTrial[place.number] = Trial(network: network, close: close)
            if let network { state.trialsOf[network, default: []].append(place.number) }
        } else {
            state.ordinary += 1
        }
        return (place, nil, dismissed)
    }

    /// - Returns: what closes it; nil when it was not on trial any more.
    private func dismiss(_ number: UInt64, _ state: inout State) -> (@Sendable () -> Void)? {
        guard let trial = endTrial(number, &state) else { return nil }
        giveBack(trial.network, &state)
        return trial.close
    }

    private func endTrial(_ number: UInt64, _ state: inout State) -> Trial? {
        guard let trial = state.onTrial.removeValue(forKey: number) else { return nil }
        state.trials.remove(number)
        if let network = trial.network, var own = state.trialsOf.removeValue(forKey: network) {
            own.removeAll { $0 == number }
            if !own.isEmpty { state.trialsOf[network] = own }
        }
        return trial
    }

    private func giveBack(_ network: IPNetwork?, _ state: inout State) {
        state.total -= 1
        guard let network, let held = state.byNetwork[network] else { return }
        state.byNetwork[network] = held > 1 ? held - 1 : nil
    }

    /// The connection is a viewer's.
    /// - Returns: false when it is on trial and there is no room for viewers.
    func admitViewer(_ place: inout Place, from address: IPAddress?) -> Bool {
        guard place.standing == .trial else { return true }
        let isAdmitted = state.withLock { state in
            guard state.ordinary < forViewers, endTrial(place.number, &state) != nil else { return false }
            state.ordinary += 1
            return true
        }
        if isAdmitted { place.standing = .ordinary } else { log(.noViewers, address) }
        return isAdmitted
    }

    /// The connection is an encoder's that was let in.
    func admitPublisher(_ place: inout Place) {
        guard place.standing != .publisher else { return }
        let standing = place.standing
        let isAdmitted = state.withLock { state in
            if standing == .trial { return endTrial(place.number, &state) != nil }
            state.ordinary -= 1
            return true
        }
        // One whose trial has ended is being closed.
        if isAdmitted { place.standing = .publisher }
    }

    func leave(_ place: Place) {
        state.withLock { state in
            switch place.standing {
            case .trial: guard endTrial(place.number, &state) != nil else { return }
            case .ordinary: state.ordinary -= 1
            case .publisher: break
            }
            giveBack(place.network, &state)
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
        case .noViewers:
            log.log(
                .warning, "viewers refused", "the places that are left are for encoders and the API", address: address,
                lines: 1, ["limit": "\(forViewers)"])
        }
    }

    /// Whether another viewer would get in.
    public var hasRoomForViewers: Bool {
        state.withLock { $0.ordinary < forViewers && $0.total < total }
    }

    /// How many connections there are.
    var connections: Int {
        state.withLock { $0.total }
    }
}

/// Holds a connection's place in the gate for as long as it lasts; closes it at once when there is none. The connection's own
/// handler tells it what the connection turns out to be.
public final class ConnectionGateHandler: ChannelInboundHandler, RemovableChannelHandler {
    public typealias InboundIn = NIOAny
    public typealias InboundOut = NIOAny

    private let gate: ConnectionGate
    private var place: ConnectionGate.Place?
    private var address: IPAddress?

    public init(gate: ConnectionGate) {
        self.gate = gate
    }

    /// To be asked before a viewer is served.
    /// - Returns: false when there is no room for viewers.
    public func admitViewer() -> Bool {
        guard var place else { return true }
        defer { self.place = place }
        return gate.admitViewer(&place, from: address)
    }

    /// An encoder was let in.
    public func admitPublisher() {
        guard var place else { return }
        gate.admitPublisher(&place)
        self.place = place
    }

    /// The place is needed for the next one: one request may be answered, and nothing more.
    public var isOnTrial: Bool { place?.standing == .trial }

    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { enter(context) }
    }

    public func channelActive(context: ChannelHandlerContext) {
        enter(context)
        guard place != nil else { return }
        context.fireChannelActive()
    }

    public func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    private func enter(_ context: ChannelHandlerContext) {
        guard place == nil else { return }
        address = context.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let channel = context.channel
        guard let taken = gate.enter(address, close: { channel.close(promise: nil) }) else {
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

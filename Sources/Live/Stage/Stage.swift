import Basics
import Logging
import NIOCore

/// The registry of what is on air: one hub a stream.
public actor Stage {
    private var hubs: [StreamAddress: StreamHub] = [:]
    private var observers: [any StageObserver] = []
    private let memory: MemoryBudget
    private let meters: DeliveryMeters
    private let loads = LoopLoads()
    private let logger: Logger
    private var isDraining = false

    /// - Parameter meters: where what viewers are sent is counted.
    public init(memory: MemoryBudget, logger: Logger, meters: DeliveryMeters = DeliveryMeters()) {
        self.memory = memory
        self.meters = meters
        self.logger = logger
    }

    /// Observers are told in the order they were added.
    public func add(_ observer: any StageObserver) {
        observers.append(observer)
    }

    /// Gives a stream to a publisher.
    /// - Parameters:
    ///   - settings: hold for a hub that is made now; one on air keeps its own.
    ///   - eventLoop: where the publisher's connection lives; a new hub lives there too.
    public func publish(
        _ address: StreamAddress, accountID: AccountID, settings: HubSettings, publisher: Publisher,
        on eventLoop: any EventLoop
    ) async throws(StreamHub.Rejection) -> Publication {
        guard !isDraining else { throw .ended }
        // A hub that ends in this moment refuses; the next round makes a fresh one.
        for _ in 0..<3 {
            let known = hubs[address]
            if known == nil, !memory.mayTake(account: accountID) { throw .outOfMemory }
            let hub =
                if let known { known } else {
                    await open(address, accountID: accountID, settings: settings, on: eventLoop)
                }
            let refusal = await begin(publisher, on: hub)
            switch refusal {
            case nil:
                for observer in observers {
                    await observer.published(hub, by: publisher, isReturn: known != nil)
                }
                return Publication(hub: hub, publisher: publisher, eventLoop: eventLoop)
            case .ended?:
                if hubs[address] === hub { hubs[address] = nil }
            case let refusal?:
                throw refusal
            }
        }
        throw .ended
    }

    private func open(
        _ address: StreamAddress, accountID: AccountID, settings: HubSettings, on eventLoop: any EventLoop
    ) async
        -> StreamHub
    {
        let hub = StreamHub(
            address: address, accountID: accountID, settings: settings,
            meter: meters.meter(of: .init(accountID: accountID, address: address)), eventLoop: eventLoop,
            memory: memory,
            logger: logger,
            onSwitch: { hub, publisher, cause in
                Task { await self.switched(hub, to: publisher, because: cause) }
            },
            onEnd: { hub, last in
                Task { await self.closed(hub, last: last) }
            })
        hubs[address] = hub
        for observer in observers {
            await observer.hubOpened(hub)
        }
        return hub
    }

    private func begin(_ publisher: Publisher, on hub: StreamHub) async -> StreamHub.Rejection? {
        do {
            return try await hub.eventLoop.submit { () -> StreamHub.Rejection? in
                do throws(StreamHub.Rejection) {
                    try hub.begin(publisher)
                    return nil
                } catch {
                    return error
                }
            }.get()
        } catch {
            // The event loop is gone: the process ends.
            return .ended
        }
    }

    private func switched(_ hub: StreamHub, to publisher: Publisher, because cause: SwitchCause) async {
        for observer in observers {
            await observer.switched(hub, to: publisher, because: cause)
        }
    }

    private func closed(_ hub: StreamHub, last: Publisher?) async {
        if hubs[hub.address] === hub {
            hubs[hub.address] = nil
        }
        guard let last else { return }
        for observer in observers {
            await observer.unpublished(hub, last: last)
        }
    }

    /// The hub of a stream on air.
    public func hub(at address: StreamAddress) -> StreamHub? {
        hubs[address]
    }

    /// Everything on air, by address.
    public func onAir() -> [StreamHub] {
        hubs.values.sorted { $0.address < $1.address }
    }

    /// Sends a stream's encoder away and ends the stream.
    /// - Returns: false when nothing is on air there.
    public func close(_ address: StreamAddress) async -> Bool {
        guard let hub = hubs[address] else { return false }
        let closed = try? await hub.eventLoop.submit { hub.isOnAir && hub.close(.closedByOperator) }.get()
        return closed ?? false
    }

    /// No more publishers; those there are told to go, and every stream ends.
    public func drain() async {
        isDraining = true
        for hub in hubs.values {
            _ = try? await hub.eventLoop.submit { hub.close(.draining) }.get()
        }
    }
}

import Live
import Storage

extension PushSupervisor: StageObserver {
    public func hubOpened(_ hub: StreamHub) {}

    /// Sessions that wait for the stream go on, and its `autopush` pushes start.
    ///
    /// The publisher waits for this call, so nothing here waits for anybody. `isReturn`: pushes never left, and one that
    /// was disconnected stays so until the next publish.
    public func published(_ hub: StreamHub, by publisher: Publisher, isReturn: Bool) {
        let known = onAir[hub.address]
        guard known !== hub, !isDraining else { return }
        if known != nil {
            // The old hub's end is still on its way here.
            sourceGone(hub.address)
        }
        onAir[hub.address] = hub
        for session in sessions.values.filter({ $0.order.source == hub.address }).sorted(by: { $0.id < $1.id })
        where session.order.accountID == hub.accountID {
            handle(.sourceOnAir, session)
        }
        guard !isReturn else { return }
        Task { await self.autopush(hub) }
    }

    public func unpublished(_ hub: StreamHub, last publisher: Publisher) {
        guard onAir[hub.address] === hub else { return }
        sourceGone(hub.address)
    }

    private func autopush(_ hub: StreamHub) async {
        let address = hub.address
        var rows: [PushService] = []
        for attempt in 1...3 {
            do {
                rows = try await store.autopushes(
                    app: address.app, instance: address.instance, stream: address.stream)
                break
            } catch {
                logger.error(
                    "stored pushes could not be read", metadata: ["stream": "\(address)", "error": "\(error)"])
                guard attempt < 3 else { return }
                try? await Task.sleep(for: .seconds(1))
            }
        }
        // The stream may have ended, or ended and come back, meanwhile.
        guard onAir[address] === hub, !isDraining else { return }
        for row in rows where row.accountID == hub.accountID {
            do throws(PushError) {
                _ = try connect(row, source: address, entryName: nil, endsWithSource: true)
            } catch {
                if case .alreadyConnected = error { continue }
                logger.warning(
                    "stored push not started",
                    metadata: ["stream": "\(address)", "push_service_id": "\(row.id)", "error": "\(error)"])
                eventLog.record(
                    OriginEvent(
                        accountID: row.accountID, date: .now, kind: .push, app: address.app, instance: address.instance,
                        stream: address.stream,
                        metadata: ["push_service_id": String(row.id), "error": error.description]))
            }
        }
    }
}

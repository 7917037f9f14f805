import Basics
import Foundation
import Live
import NIOCore
import Storage

/// A running session: its machine, and what the machine does not need to know. Belongs to the supervisor's actor.
final class PushSession {
    typealias ID = Int

    /// What it was asked to be; does not change.
    struct Order: Sendable {
        var accountID: AccountID
        var source: StreamAddress
        var entryName: String
        var service: String
        var profile: String
        var pushServiceID: Int64?
        var destination: any PushDestination
        /// Belongs to one publication (`autopush`).
        var endsWithSource: Bool
    }

    let id: ID
    let order: Order
    let started: Date
    var machine: PushSessionMachine
    /// The attempt under way and its number.
    var attempt: (number: Int, client: any PushAttempt, hub: StreamHub)?
    var retry: Scheduled<Void>?
    var nextAttempt: Date?
    /// Of attempts that are over.
    var counters = PushCounters()
    var connected: Date?
    var lastError: String?
    /// The far end's address in the last accepted attempt.
    var address = ""
    var history: [PushTransition] = []
    /// The last attempt's end, while it takes time.
    var closing: Task<Void, Never>?

    init(id: ID, order: Order, machine: PushSessionMachine) {
        self.id = id
        self.order = order
        self.machine = machine
        self.started = Date()
    }

    func note(from: PushStatus, to: PushStatus, reason: String, failure: PushFailure?) {
        if history.count >= PushTransition.kept { history.removeFirst() }
        history.append(
            PushTransition(
                date: Date(), from: from, to: to, reason: reason, failure: failure?.code, bytesSent: counters.bytes))
        connected = to == .connected ? Date() : nil
        if let failure { lastError = failure.message }
    }

    /// - Parameter current: of the attempt under way.
    func report(current: PushCounters) -> PushReport {
        let total = counters + current
        return PushReport(
            entryName: order.entryName, accountID: order.accountID, source: order.source, service: order.service,
            profile: order.profile, status: machine.status, pushServiceID: order.pushServiceID,
            destination: order.destination.summary, bytesSent: total.bytes, droppedFrames: total.droppedFrames,
            reconnects: machine.reconnects, started: started, connected: connected, lastError: lastError,
            nextAttempt: nextAttempt, history: history)
    }

    func event(_ kind: OriginEvent.Kind, metadata extra: [String: String]) -> OriginEvent {
        var metadata = [
            "entry_name": order.entryName, "service_name": order.service, "profile": order.profile,
            "destination": order.destination.summary,
        ]
        if let id = order.pushServiceID { metadata["push_service_id"] = String(id) }
        metadata.merge(extra) { $1 }
        return OriginEvent(
            accountID: order.accountID, date: Date(), kind: kind, app: order.source.app,
            instance: order.source.instance,
            stream: order.source.stream, address: address, metadata: metadata)
    }
}

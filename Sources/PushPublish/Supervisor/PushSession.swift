import Basics
import Foundation
import Live
import NIOCore
import Storage

/// A running session: its machine, and what the machine does not need to know. Belongs to the supervisor's actor.
final class PushSession {
    typealias ID = Int

    /// What it was asked to be; does not change.
    struct Definition: Sendable {
        var accountID: AccountID
        var source: StreamAddress
        var entryName: String
        var service: String
        var profile: String
        var pushServiceID: Int64?
        var destination: any PushDestination
        /// Belongs to one publication (`autopush`).
        var endsWithSource: Bool

        var endpoint: ConnectionSlots<PushSupervisor.ConnectionID>.Endpoint {
            .init(host: destination.host.lowercased(), port: destination.port)
        }
    }

    let id: ID
    let definition: Definition
    private let started: Date
    var machine: PushSessionMachine
    /// The connection under way and its number.
    var connection: (number: Int, client: any PushConnection, hub: StreamHub)?
    var retry: (timer: Scheduled<Void>, date: Date)?
    /// Of connections that are over.
    var counters = PushCounters()
    /// The destination's address in the last accepted connection.
    var address = ""
    /// The last connection's end, while it takes time.
    var closing: Task<Void, Never>?
    private var connected: Date?
    private var lastError: String?
    private var history: [PushTransition] = []

    init(id: ID, definition: Definition, machine: PushSessionMachine, date: Date) {
        self.id = id
        self.definition = definition
        self.machine = machine
        self.started = date
    }

    /// Keeps a change of status for reports.
    func remember(from: PushStatus, to: PushStatus, reason: String, failure: PushFailure?, date: Date) {
        if history.count >= PushTransition.kept { history.removeFirst() }
        history.append(
            PushTransition(
                date: date, from: from, to: to, reason: reason, failure: failure?.code, bytesSent: counters.bytes))
        connected = to == .connected ? date : nil
        if let failure { lastError = failure.message }
    }

    /// - Parameter sent: over all connections.
    func report(sent: PushCounters) -> PushReport {
        PushReport(
            entryName: definition.entryName, accountID: definition.accountID, source: definition.source,
            service: definition.service, profile: definition.profile, status: machine.status,
            pushServiceID: definition.pushServiceID, destination: definition.destination.summary,
            bytesSent: sent.bytes, droppedFrames: sent.droppedFrames, reconnects: machine.reconnects,
            started: started, connected: connected, lastError: lastError, nextConnection: retry?.date,
            history: history)
    }

    func event(_ kind: OriginEvent.Kind, metadata extra: [String: String], date: Date) -> OriginEvent {
        var metadata = [
            "entry_name": definition.entryName, "service_name": definition.service, "profile": definition.profile,
            "destination": definition.destination.summary,
        ]
        if let id = definition.pushServiceID { metadata["push_service_id"] = String(id) }
        metadata.merge(extra) { $1 }
        return OriginEvent(
            accountID: definition.accountID, date: date, kind: kind, app: definition.source.app,
            instance: definition.source.instance, stream: definition.source.stream, address: address,
            metadata: metadata)
    }
}

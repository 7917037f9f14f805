import NIOCore

/// What a push session does next: events and the time in, actions out.
///
/// It opens one connection at a time and numbers them from 1; a connection is the whole way from the name lookup to
/// streaming media. Events of a connection that is not the current one come too late and change nothing, so a stop always
/// wins over whatever is under way.
struct PushSessionMachine: Sendable {
    enum Event: Sendable, Equatable {
        /// The source is on air.
        case sourceOnAir
        /// The source is off the air for good (not merely waiting for its encoder to return).
        case sourceGone
        /// The destination accepted the stream.
        case accepted(connection: Int)
        /// The destination acknowledged the first media.
        case flowing(connection: Int)
        case failed(connection: Int, PushFailure)
        /// The pause after that connection is over.
        case retryDue(after: Int)
        case stop(PushEnding)
    }

    enum Action: Sendable, Equatable {
        case open(connection: Int)
        /// Tells the destination where it can, then closes.
        case close(connection: Int)
        /// Send `retryDue` with that number then.
        case scheduleRetry(after: Int, at: NIODeadline)
        case cancelRetry
        /// The status changed, or a connection failed again.
        case changed(from: PushStatus, to: PushStatus, reason: String, failure: PushFailure?)
        /// For the event log: the stream goes out, or did not because of `error`.
        case logPush(error: PushFailure?)
        /// For the event log: the stream went out and does so no more.
        case logUnpush(reason: String)
        /// Nothing more will come.
        case finished
    }

    private enum State: Sendable {
        /// The source is off the air.
        case waiting
        case connecting(Int)
        /// The destination has the stream and has not acknowledged media yet.
        case accepted(Int)
        case connected(Int, since: NIODeadline)
        /// The connection failed; the next one follows after a pause.
        case backingOff(after: Int, FailureClass)
        case ended

        var status: PushStatus {
            switch self {
            case .waiting: .waiting
            case .connecting, .accepted: .connecting
            case .connected: .connected
            case .backingOff(_, .transient): .retrying
            case .backingOff(_, .permanent): .failed
            case .ended: .disconnected
            }
        }

        /// The connection that is under way.
        var connection: Int? {
            switch self {
            case .connecting(let number), .accepted(let number), .connected(let number, _): number
            case .waiting, .backingOff, .ended: nil
            }
        }
    }

    private let endsWithSource: Bool
    private var state = State.waiting
    private var backOff: BackOff
    /// Connections opened so far: the number of the last one.
    private var connections = 0
    /// How often the stream was connected.
    private var timesConnected = 0
    /// The failure the event log has been told of since the stream was last connected.
    private var loggedFailure: PushFailure.Code?
    /// When the destination last had the stream.
    private(set) var lastAccepted: NIODeadline?

    /// - Parameters:
    ///   - endsWithSource: for `autopush`: over when the source goes off the air, instead of waiting for it.
    ///   - lastAccepted: when an earlier session had the same destination accept the stream.
    init(limits: BackOff.Limits, endsWithSource: Bool, lastAccepted: NIODeadline? = nil) {
        self.backOff = BackOff(limits: limits)
        self.endsWithSource = endsWithSource
        self.lastAccepted = lastAccepted
    }

    var status: PushStatus { state.status }

    /// How often the stream was connected again after it had been.
    var reconnects: Int { max(0, timesConnected - 1) }

    /// - Parameter jitter: evenly drawn from 0..<1, for the back-off.
    mutating func handle(_ event: Event, now: NIODeadline, jitter: Double = 0.5) -> [Action] {
        switch (state, event) {
        case (.ended, _):
            return []
        case (_, .stop(let ending)):
            return end(ending, now: now)
        case (.waiting, .sourceOnAir):
            return open(reason: "the stream is on air")
        case (_, .sourceGone):
            return endsWithSource ? end(.sourceEnded, now: now) : wait(now: now)
        case (.connecting(let current), .accepted(let number)) where current == number:
            lastAccepted = now
            return change(to: .accepted(number))
        case (.accepted(let current), .flowing(let number)) where current == number:
            loggedFailure = nil
            timesConnected += 1
            let reason = "the destination takes the stream"
            return change(to: .connected(number, since: now), reason: reason) + [.logPush(error: nil)]
        case (_, .failed(let number, let failure)) where number == state.connection:
            return failed(failure, number: number, now: now, jitter: jitter)
        case (.backingOff(let last, _), .retryDue(let number)) where last == number:
            return open(reason: "trying again")
        case (_, .sourceOnAir), (_, .accepted), (_, .flowing), (_, .failed), (_, .retryDue):
            return []
        }
    }

    private mutating func open(reason: String) -> [Action] {
        connections += 1
        return change(to: .connecting(connections), reason: reason) + [.open(connection: connections)]
    }

    private mutating func wait(now: NIODeadline) -> [Action] {
        let reason = PushEnding.sourceEnded.reason
        return leave(reason: reason, now: now) + change(to: .waiting, reason: reason)
    }

    private mutating func end(_ ending: PushEnding, now: NIODeadline) -> [Action] {
        leave(reason: ending.reason, now: now) + change(to: .ended, reason: ending.reason) + [.finished]
    }

    private mutating func failed(_ failure: PushFailure, number: Int, now: NIODeadline, jitter: Double) -> [Action] {
        noteLastAccepted(now: now)
        var connectedFor: TimeAmount?
        if case .connected(_, let since) = state { connectedFor = now - since }
        let failureClass = FailureClass(failure, sinceAccepted: lastAccepted.map { now - $0 })
        let pause = backOff.pause(after: failureClass, connectedFor: connectedFor, jitter: jitter)
        var actions = change(
            to: .backingOff(after: number, failureClass), reason: failure.message, failure: failure)
        if connectedFor != nil {
            actions.append(.logUnpush(reason: failure.message))
        } else if loggedFailure != failure.code {
            // A destination that stays away is told of once, not for every connection.
            loggedFailure = failure.code
            actions.append(.logPush(error: failure))
        }
        return actions + [.scheduleRetry(after: number, at: now + pause)]
    }

    /// Leaves whatever is under way.
    private mutating func leave(reason: String, now: NIODeadline) -> [Action] {
        noteLastAccepted(now: now)
        switch state {
        case .connecting(let number), .accepted(let number): return [.close(connection: number)]
        case .connected(let number, _): return [.close(connection: number), .logUnpush(reason: reason)]
        case .backingOff: return [.cancelRetry]
        case .waiting, .ended: return []
        }
    }

    /// A connection that ends now had the stream accepted until now.
    private mutating func noteLastAccepted(now: NIODeadline) {
        switch state {
        case .accepted, .connected: lastAccepted = now
        case .waiting, .connecting, .backingOff, .ended: break
        }
    }

    /// - Returns: `changed` when the status is another one, or something failed.
    private mutating func change(to next: State, reason: String = "", failure: PushFailure? = nil) -> [Action] {
        let before = status
        state = next
        guard status != before || failure != nil else { return [] }
        return [.changed(from: before, to: status, reason: reason, failure: failure)]
    }
}
